"""10. Mistakes: what the network gets wrong, and where it looks

One accuracy says little. You see which classes are mixed up, which pictures go wrong and what the network
took them for, how sure it is, and how its last layer sees the pictures. Then you look into it: which part of
a picture the answer depends on, and what leaves each of its stages.

You will see: the confusion matrix, the worst mistakes and where the network looked in IMAGES; PR CURVES; and
the test pictures as a cloud of points in PROJECTOR.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.utils.data import DataLoader, Subset
from torchvision.transforms import ToTensor
from torchvision.utils import make_grid

from lessons.course import DATASET, CourseError, newest_files
from lessons.course.charts import captioned_chart, confusion_chart
from lessons.course.datasets import CourseData, open_dataset
from lessons.course.logbook import RunWriter
from lessons.course.options import command_line
from lessons.course.progress import track
from lessons.course.shapes import explain_other_weights
from lessons.p07_save_load import load
from lessons.p08_train import Training, choose_recipe, new_classifier, three_sets
from lessons.tudui import Classifier, Tudui

SQUARE, STRIDE = 8, 2  # pixels: the grey square that slides over a picture, and how far it moves each time
RED = torch.tensor([1.0, 0.0, 0.0]).view(3, 1, 1)


# --- A network to look at


def load_best(path: Path) -> tuple[Classifier, list[str], str]:
    """The network of lesson 8's ``best.pth``, its classes, and the data set that it has learnt from."""
    try:
        content = load(path)
        weights, classes, learnt_from = content["model"], content["classes"], content["dataset"]
        classifier = Classifier(Tudui(num_classes=len(classes)))
    except Exception as error:  # what is cut short, or no checkpoint, makes torch.load raise nearly anything
        raise CourseError(
            f"{path} cannot be read as a checkpoint: remove it, or run lesson 8 anew"
        ) from error
    explain_other_weights(classifier, weights, path)
    classifier.load_state_dict(weights)
    return classifier, classes, learnt_from


def train_briefly(dataset: str) -> tuple[Classifier, list[str], str]:
    """Lesson 8's fast recipe, two epochs of at most 5,000 pictures: some 10 seconds."""
    recipe = choose_recipe("fast", ["channels_last"])  # torch.export would warn of it in lesson 12
    train_data, _, test_data = three_sets(dataset)
    some = Subset(train_data, range(min(5000, len(train_data))))
    dataloader = DataLoader(some, recipe.batch_size, shuffle=True)
    training = Training(new_classifier(recipe, train_data), recipe, total_steps=2 * len(dataloader))
    for _ in range(2):
        for imgs, targets in track(dataloader, "training"):
            training.step(imgs, targets)
    return training.model, list(test_data.classes), test_data.name


def find_network(dataset: str) -> tuple[Classifier, list[str], str]:
    """Lesson 8's newest best network, or one that is trained now. With its classes and its data set."""
    files = newest_files("models_saved/p08_train/*/best.pth")
    if files:
        print(f"network: {files[0]}")
        classifier, classes, learnt_from = load_best(files[0])
    else:
        print("network: trained now, for some seconds (lessons run 8 leaves a better one)")
        classifier, classes, learnt_from = train_briefly(dataset)
    return classifier.eval(), classes, learnt_from


# --- What it gets wrong


@torch.no_grad()
def predict(classifier: Classifier, data: CourseData) -> tuple[Tensor, Tensor]:
    """The scores (M, C) of all M pictures, and what the last layer saw of each, (M, 64).

    A forward hook is a function that a layer calls each time that it has run, with what went in and what came
    out. So any network can be looked into without a change to its code.
    """
    seen = []
    hook = classifier.network.head.register_forward_hook(lambda layer, inputs, output: seen.append(inputs[0]))
    scores = torch.cat([classifier(imgs) for imgs, _ in DataLoader(data, batch_size=250)])
    hook.remove()
    return scores, torch.cat(seen)


def show_confusion(writer: RunWriter, classes: list[str], scores: Tensor, targets: Tensor) -> Tensor:
    """Who is taken for whom, and how surely. Counts (C, C): of class i (row), so many were called class j."""
    probabilities, answers = scores.softmax(dim=1), scores.argmax(dim=1)  # (M, C), (M,)
    pairs = targets * len(classes) + answers  # (M,): each (target, answer) as one number
    counts = torch.bincount(pairs, minlength=len(classes) ** 2).view(len(classes), len(classes))
    writer.add_figure("confusion", confusion_chart(counts, classes))
    for number, name in enumerate(classes):
        writer.add_pr_curve(f"class/{name}", targets == number, probabilities[:, number])
    return counts


def show_worst(writer: RunWriter, data: CourseData, scores: Tensor, targets: Tensor) -> tuple:
    """The 12 pictures with the highest loss (12, 3, 32, 32), and what the network said of each."""
    worst = F.cross_entropy(scores, targets, reduction="none").argsort(descending=True)[:12]
    captions = []
    for target, probabilities in zip(targets[worst], scores[worst].softmax(dim=1), strict=True):
        answer = probabilities.argmax()
        label = f"{data.classes[target]} {probabilities[target]:.1%}"
        said = f"said {data.classes[answer]} {probabilities[answer]:.1%}"
        print(f"  {label}, {said}")
        captions.append(f"{label}\n{said}")
    imgs = torch.stack([data[index][0] for index in worst.tolist()])
    writer.add_figure("mistakes", captioned_chart(imgs, captions, columns=4))
    return imgs, captions


def show_points(writer: RunWriter, data: CourseData, features: Tensor) -> None:
    """About 500 pictures as points: the numbers that the last layer sees of each."""
    step = max(1, len(data) // 500)  # every second picture of 1,000
    some = range(0, len(data), step)
    imgs = torch.stack([data[index][0] for index in some])  # (500, 3, 32, 32)
    names = [data.classes[data.targets[index]] for index in some]
    writer.add_embedding(features[::step], names, imgs)  # (500, 64)


# --- Where it looks


@torch.no_grad()
def occlusion_map(classifier: nn.Module, img: Tensor) -> Tensor:
    """What the answer depends on: cover a part of the picture, and see how far the top class falls.

    For one picture (3, H, W) in [0, 1]: how far the probability of its likeliest class falls when a grey
    square lies on a pixel, (1, H, W), the mean over the 16 places of the square that cover this pixel.
    Source: Zeiler and Fergus, Visualizing and Understanding Convolutional Networks, 2014.
    """
    height, width = img.shape[-2:]
    masks = []
    for top in range(STRIDE - SQUARE, height, STRIDE):  # from -6 on: the square reaches over the edges too,
        for left in range(STRIDE - SQUARE, width, STRIDE):  # so that every pixel is covered equally often
            mask = torch.zeros(1, height, width)
            mask[:, max(top, 0) : top + SQUARE, max(left, 0) : left + SQUARE] = 1  # 1 where the square lies
            masks.append(mask)
    masks = torch.stack(masks)  # (361, 1, 32, 32): 19 * 19 places
    covered = img * (1 - masks) + 0.5 * masks  # (361, 3, 32, 32): all places in one batch
    before = classifier(img.unsqueeze(0)).softmax(dim=1)  # (1, C)
    after = classifier(covered).softmax(dim=1)  # (361, C)
    falls = (before - after)[:, before.argmax()]  # (361,)
    return (falls.view(-1, 1, 1, 1) * masks).sum(dim=0) / (SQUARE // STRIDE) ** 2


def seen_chart(classifier: nn.Module, img: Tensor, caption: str) -> Figure:
    """A picture (3, H, W) beside a grey copy that is red where covering it hurts the answer most."""
    heat = occlusion_map(classifier, img).clamp(min=0)  # (1, H, W)
    share = 0.8 * heat / heat.max().clamp(min=1e-6)  # of red: the largest fall becomes the deepest
    looked = img.mean(dim=0) * (1 - share) + RED * share  # grey, and red over it: (3, H, W)
    captions = [caption, f"covered where red,\nits answer falls by {heat.max():.0%}"]
    return captioned_chart(torch.stack([img, looked]), captions)


@torch.no_grad()
def feature_maps(classifier: nn.Module, imgs: Tensor) -> list[Tensor]:
    """What leaves each pooling: (N, 32, 16, 16), (N, 32, 8, 8) and (N, 64, 4, 4) in Tudui."""
    maps = []
    poolings = [layer for layer in classifier.modules() if isinstance(layer, nn.MaxPool2d)]
    hooks = [
        layer.register_forward_hook(lambda layer, inputs, output: maps.append(output)) for layer in poolings
    ]
    classifier(imgs)
    for hook in hooks:
        hook.remove()  # or the next batch would be kept as well
    return maps


def show_stages(writer: RunWriter, classifier: nn.Module, imgs: Tensor, captions: list[str]) -> None:
    """Of each picture (N, 3, 32, 32): where the network looked, and what left each of its stages."""
    stages = feature_maps(classifier, imgs)
    for index, caption in enumerate(captions):
        writer.add_figure(f"worst {index + 1}/seen", seen_chart(classifier, imgs[index], caption))
        for stage, maps in enumerate(stages, start=1):
            pictures = maps[index].unsqueeze(1)  # (C, H, W) -> (C, 1, H, W): a grey picture for each channel
            grid = make_grid(pictures, normalize=True, scale_each=True, pad_value=1)
            writer.add_image(f"worst {index + 1}/stage {stage}", grid)


def main(dataset: str = DATASET, seed: int = 0) -> dict:
    torch.manual_seed(seed)
    classifier, classes, learnt_from = find_network(dataset)
    test_data = open_dataset(dataset, train=False, transform=ToTensor())
    if list(test_data.classes) != list(classes):
        raise CourseError(f"this network knows other classes than {test_data.name}: name its --dataset")
    if learnt_from != test_data.name:
        print(f"it has learnt from {learnt_from}: expect little of it on {test_data.name}")

    with RunWriter(__file__, test_data=test_data, seed=seed, learnt_from=learnt_from) as writer:
        scores, features = predict(classifier, test_data)  # (M, C), (M, 64)
        targets = torch.tensor(test_data.targets)  # (M,)
        counts = show_confusion(writer, classes, scores, targets)
        writer.result = f"{len(targets) - counts.trace()} of {len(targets):,} wrong"
        print(f"{writer.result}; the worst, and how likely the network found the right class and its answer:")
        imgs, captions = show_worst(writer, test_data, scores, targets)
        show_points(writer, test_data, features)
        show_stages(writer, classifier, imgs[:3], captions[:3])

    seen = {"confusion": counts, "worst": (imgs, captions), "scores": scores}
    return {"run": writer.folder, "classifier": classifier, **seen}


if __name__ == "__main__":
    command_line(main)
