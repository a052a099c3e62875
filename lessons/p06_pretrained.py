"""6. Pretrained models: start from what another network has learnt

VGG16 has learnt from 1.2 million photographs to tell 1,000 things apart. You change its end for 10 classes in
three ways, of which one does nothing, freeze what it knows and train only the new layer. Then you do the same
with a Tudui: trained on six classes, its features help to learn four new ones from few pictures.

You will see: two accuracy curves in SCALARS, features reused against from scratch.
"""

import math
import os

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, Subset, TensorDataset
from torch.utils.tensorboard import SummaryWriter
from torchvision.models import VGG16_Weights, vgg16
from torchvision.transforms import ToTensor

from lessons.course import DATASET, CourseError, torch_home
from lessons.course.checkpoints import check_hash
from lessons.course.datasets import open_dataset
from lessons.course.logbook import RunWriter
from lessons.course.options import command_line
from lessons.p05_loss_optim import evaluate, train_step
from lessons.tudui import Tudui


def build_vgg16() -> tuple[nn.Module, bool]:
    """VGG16 with its ImageNet weights when they are on this machine, else with random ones; and which."""
    # torchvision looks in $TORCH_HOME/hub/checkpoints at each call, so setting it here needs no restart
    os.environ["TORCH_HOME"] = str(torch_home())
    weights = VGG16_Weights.IMAGENET1K_V1  # the old pretrained=True; weights=None is pretrained=False
    file = torch_home() / "hub" / "checkpoints" / os.path.basename(weights.url)
    if file.exists():
        check_hash(file)
        print(f"VGG16 with its ImageNet weights, from {file}")
        return vgg16(weights=weights), True
    print("VGG16 with random weights: the shapes are the same, but it has learnt nothing to build on")
    print("(`lessons download vgg16` fetches the real ones, 553 MB).")
    return vgg16(weights=None), False


def freeze(model: nn.Module) -> None:
    """Keep all weights as they are: no gradient is computed for them, so no step can move them."""
    for parameter in model.parameters():
        parameter.requires_grad = False


def change_the_head(vgg: nn.Module, num_classes: int) -> dict[str, tuple[int, ...]]:
    """Three ways to make VGG16 answer with as many classes as we have. One of them does nothing.

    Returns the shape of the answer after each. The third stays: all frozen, but for the new layer.
    """
    imgs = torch.rand(2, 3, 32, 32)  # made for 224x224, but it averages what the features leave to 7x7
    shapes = {"as it comes": tuple(vgg(imgs).shape)}  # (2, 3, 32, 32) -> (2, 1000)
    vgg.add_module("add_linear", nn.Linear(1000, num_classes))
    shapes["vgg.add_module"] = tuple(vgg(imgs).shape)  # still (2, 1000): forward never calls add_linear
    del vgg.add_linear
    vgg.classifier.add_module("add_linear", nn.Linear(1000, num_classes))
    shapes["vgg.classifier.add_module"] = tuple(vgg(imgs).shape)  # (2, 10): a Sequential calls all it holds
    del vgg.classifier.add_linear
    freeze(vgg)
    vgg.classifier[6] = nn.Linear(4096, num_classes)  # after freeze: a new layer can learn
    shapes["vgg.classifier[6] ="] = tuple(vgg(imgs).shape)  # (2, 10), with no layer of 1,000 in between
    for way, shape in shapes.items():
        print(f"  {way:<26} -> {shape}")
    return shapes


def fine_tune(vgg: nn.Module, train_data: Dataset) -> tuple[tuple[int, int], list[float]]:
    """Five steps on one batch, in which only the new layer moves.

    Returns how many numbers can learn and how many there are, and the loss at each step.
    """
    trainable = [parameter for parameter in vgg.parameters() if parameter.requires_grad]
    trainable_count = sum(parameter.numel() for parameter in trainable)
    total_count = sum(parameter.numel() for parameter in vgg.parameters())
    print(f"{trainable_count:,} of {total_count:,} numbers can learn")
    loss_fn = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(trainable, lr=0.001)  # Adam finds a step size for each weight by itself
    imgs, targets = next(iter(DataLoader(train_data, batch_size=32, shuffle=True)))  # (32, 3, 32, 32), (32,)
    preprocess = VGG16_Weights.IMAGENET1K_V1.transforms(crop_size=32, resize_size=32)  # without: 224, 256
    imgs = preprocess(imgs)  # (32, 3, 32, 32), normalised with the mean and std of ImageNet's pictures
    losses = [train_step(vgg, imgs, targets, loss_fn, optimizer).item() for _ in range(5)]
    print("the loss of one batch in 5 steps:", ", ".join(f"{loss:.2f}" for loss in losses))
    return (trainable_count, total_count), losses


# --- The same idea, small enough to learn here: some classes first, then new ones from few pictures


def classes_of(data: Dataset, first: int, last: int, per_class: int | None = None) -> Subset:
    """The pictures with first <= target < last; the first ``per_class`` of each, when given."""
    indices = []
    for wanted in range(first, last):
        of_class = [index for index, target in enumerate(data.targets) if target == wanted]
        indices += of_class[:per_class]
    return Subset(data, indices)


def renumbered(data: Subset, first: int) -> TensorDataset:
    """All the pictures in memory, (N, 3, 32, 32), with targets from 0 on, as a network of its own counts."""
    imgs, targets = next(iter(DataLoader(data, batch_size=len(data))))  # (N, 3, 32, 32), (N,)
    return TensorDataset(imgs, targets - first)


def train_teacher(train_data: Dataset, test_data: Dataset, known: int, steps: int) -> Tudui:
    """A Tudui that knows the first ``known`` classes; whole epochs, at least ``steps`` steps."""
    teacher = Tudui(num_classes=known)
    loss_fn = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(teacher.parameters(), lr=0.01, momentum=0.9)
    dataloader = DataLoader(classes_of(train_data, 0, known), batch_size=64, shuffle=True)
    for _ in range(math.ceil(steps / len(dataloader))):
        for imgs, targets in dataloader:
            train_step(teacher, imgs, targets, loss_fn, optimizer)
    test_loader = DataLoader(classes_of(test_data, 0, known), batch_size=250)
    _, accuracy = evaluate(teacher, test_loader, loss_fn)
    print(f"\na Tudui trained on {', '.join(train_data.classes[:known])}: {accuracy:.1%} right")
    return teacher


def transfer(
    teacher: Tudui, train_data: Dataset, test_data: Dataset, pictures_per_class: int, writer: SummaryWriter
) -> dict[str, float]:
    """Two students learn the classes that the teacher does not know. Returns the accuracy of each."""
    known, num_classes = teacher.head.out_features, len(train_data.classes)
    few = renumbered(classes_of(train_data, known, num_classes, pictures_per_class), known)
    unseen_loader = DataLoader(renumbered(classes_of(test_data, known, num_classes), known), batch_size=250)
    few_imgs, few_targets = few.tensors  # (40, 3, 32, 32), (40,): all of them are one batch
    loss_fn = nn.CrossEntropyLoss()
    accuracies = {}
    for way in ("features reused", "from scratch"):
        student = Tudui(num_classes=num_classes - known)
        if way == "features reused":
            student.features.load_state_dict(teacher.features.state_dict())  # all layers up to Flatten
            freeze(student.features)  # what stays to learn: the linear layers after it
        learning = [parameter for parameter in student.parameters() if parameter.requires_grad]
        optimizer = torch.optim.SGD(learning, lr=0.005, momentum=0.9)
        for step in range(1, 101):
            train_step(student, few_imgs, few_targets, loss_fn, optimizer)
            if step % 10 == 0:
                _, accuracies[way] = evaluate(student, unseen_loader, loss_fn)
                writer.add_scalars("accuracy", {way: accuracies[way]}, step)  # one chart, a curve a way
        new = ", ".join(train_data.classes[known:])
        print(f"{new} from {len(few)} pictures, {way}: {accuracies[way]:.1%} right")
    return accuracies


def main(dataset: str = DATASET, steps: int = 400, pictures_per_class: int = 10, seed: int = 0) -> dict:
    torch.manual_seed(seed)
    train_data = open_dataset(dataset, train=True, transform=ToTensor())
    test_data = open_dataset(dataset, train=False, transform=ToTensor())
    num_classes = len(train_data.classes)
    known = num_classes * 6 // 10  # the teacher's classes; the others are new to the students
    if known < 2:
        raise CourseError(
            f"{train_data.name} has {num_classes} classes and this lesson needs at least 4: two for the "
            "teacher and two new ones for the students, since a network with one class is always right"
        )

    vgg, pretrained = build_vgg16()
    shapes = change_the_head(vgg, num_classes)
    trainable, vgg_losses = fine_tune(vgg, train_data)
    del vgg  # half a gigabyte

    settings = {"seed": seed, "steps": steps, "pictures_per_class": pictures_per_class}
    with RunWriter(__file__, train_data, test_data, pretrained=pretrained, **settings) as writer:
        teacher = train_teacher(train_data, test_data, known, steps)
        accuracies = transfer(teacher, train_data, test_data, pictures_per_class, writer)
        reused, scratch = accuracies.values()
        writer.result = f"{reused:.1%}, from scratch {scratch:.1%}"

    return {
        "run": writer.folder,
        "pretrained": pretrained,
        "shapes": shapes,
        "trainable": trainable,
        "vgg_losses": vgg_losses,
        "accuracies": accuracies,
    }


if __name__ == "__main__":
    command_line(main)
