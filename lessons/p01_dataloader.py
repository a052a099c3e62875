"""1. Dataset and DataLoader: pictures in batches

A Dataset answers two questions: how many pictures are there, and which is number i? A DataLoader asks it
for many at once, in a new order each epoch, and stacks them to one tensor. You write a Dataset of your own,
turn a picture into a tensor by hand, and look at the batches that all later lessons eat.

You will see: two epochs of grids in IMAGES, the same pictures in another order each time.
"""

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import ToTensor

from lessons.course import DATASET, CourseError
from lessons.course.datasets import open_dataset
from lessons.course.logbook import RunWriter
from lessons.course.options import command_line


class PlainColours(Dataset):
    """A data set of one's own: pictures of one colour, (3, 32, 32), with the colour's number as target."""

    classes = ("red", "green", "blue")

    def __init__(self, pictures_per_class: int = 4) -> None:
        self.targets = list(range(len(self.classes))) * pictures_per_class

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        target = self.targets[index]
        picture = np.zeros((32, 32, 3), dtype=np.uint8)  # height, width, channels: as picture files have it
        picture[:, :, target] = 255
        return picture_to_tensor(picture), target


def picture_to_tensor(picture: np.ndarray) -> Tensor:
    """What ``ToTensor`` does, by hand: (H, W, C) whole numbers 0..255 to (C, H, W) floats in [0, 1]."""
    img = torch.from_numpy(picture)  #  (32, 32, 3), uint8
    img = img.permute(2, 0, 1)  #       (3, 32, 32): PyTorch wants the channels first
    return img.to(torch.float32) / 255  # 0..255 -> 0..1: networks learn best from small numbers


def main(
    dataset: str = DATASET, batch_size: int = 64, num_workers: int = 0, steps: int = 5, seed: int = 0
) -> dict:
    torch.manual_seed(seed)  # the shuffle is drawn from this: the same seed, the same order

    # --- A data set of one's own
    colours = PlainColours()
    img, target = colours[1]  # colours[1] calls colours.__getitem__(1)
    print(f"PlainColours: {len(colours)} pictures; number 1 is {tuple(img.shape)}, {colours.classes[target]}")

    # --- The course's data set. For the real pictures you would write the same call:
    # torchvision.datasets.CIFAR10(root, train=True, transform=ToTensor())
    train_data = open_dataset(dataset, train=True, transform=ToTensor())
    test_data = open_dataset(dataset, train=False, transform=ToTensor())
    img, target = train_data[0]
    print(
        f"{train_data.name}: picture 0 is {tuple(img.shape)}, target {target} = {train_data.classes[target]}"
    )

    # --- The transform by hand gives the same numbers as torchvision's
    by_hand = picture_to_tensor(train_data.data[0])  # .data holds the pictures as they lie on disk
    print(f"picture_to_tensor equals ToTensor: {torch.equal(by_hand, img)}")

    # --- DataLoader. What the last, smaller batch does depends on drop_last
    whole = DataLoader(test_data, batch_size=batch_size, shuffle=False, num_workers=num_workers)
    dropped = DataLoader(test_data, batch_size=batch_size, shuffle=False, drop_last=True)
    last_batch = len(test_data) - (len(whole) - 1) * batch_size
    print(f"{len(test_data)} test pictures in batches of {batch_size}: {len(whole)} batches, the last with")
    print(f"{last_batch}; with drop_last=True {len(dropped)} batches.")

    # shuffle=True: a new order each epoch. num_workers=2 would load in two more processes; for pictures
    # that lie in memory already, starting those takes longer than it saves.
    dataloader = DataLoader(
        train_data, batch_size=batch_size, shuffle=True, drop_last=True, num_workers=num_workers
    )
    if len(dataloader) == 0:
        pictures = f"{len(train_data)} training pictures"
        raise CourseError(f"{pictures} make no whole batch of {batch_size}: choose a smaller --batch-size")
    first_targets = []
    with RunWriter(
        __file__, train_data, test_data, seed=seed, batch_size=batch_size, num_workers=num_workers
    ) as writer:
        for epoch in (1, 2):
            for step, (imgs, targets) in enumerate(dataloader):
                if step == 0:
                    first_targets.append(targets.tolist())
                    print(f"epoch {epoch}: imgs {tuple(imgs.shape)}, targets {tuple(targets.shape)}")
                if step == steps:  # a few batches are enough to see the shuffle
                    break
                writer.add_images(f"epoch_{epoch}", imgs, step)  # imgs, with s: it takes the whole batch
        writer.result = f"batches of {tuple(imgs.shape)}"

    return {
        "run": writer.folder,
        "own_dataset": (len(colours), tuple(colours[1][0].shape), colours.classes[colours[1][1]]),
        "transform_equal": torch.equal(by_hand, img),
        "imgs": tuple(imgs.shape),
        "targets": tuple(targets.shape),
        "batches": (len(whole), len(dropped), last_batch),
        "first_targets": first_targets,
    }


if __name__ == "__main__":
    command_line(main)
