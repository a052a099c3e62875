"""10. Classify: your own picture

A trained network meets pictures that no data set holds: yours, of any format and size. You see what is left
of them at 32x32, the five likeliest classes, and which part of the picture the answer hangs on. Then the
network leaves the course: exported in two ways, run again from each file, and compared with the original.

    lessons run 10 --image photo.png --image another.jpg

You will see: for each picture, in IMAGES, what the network saw, where it looked, and its feature maps.
"""

from collections.abc import Sequence
from itertools import islice, product
from pathlib import Path

import torch
from PIL import Image
from rich.progress import track
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchvision.transforms import ToTensor
from torchvision.utils import make_grid

from lessons.course import DATASET, CourseError, course_dir
from lessons.course.charts import captioned_chart
from lessons.course.cli import command_line
from lessons.course.datasets import CourseData, open_dataset, to_rgb
from lessons.course.logbook import RunWriter
from lessons.p08_train import RECIPES, Training
from lessons.tudui import Tudui

SQUARE, STRIDE = 8, 2  # pixels: the grey square that slides over a picture, and how far it moves each time
RED = torch.tensor([1.0, 0.0, 0.0]).view(3, 1, 1)


class Classifier(nn.Module):
    """Tudui behind the normalisation that it was trained with, so that the two can't be separated.

    Shapes: pictures (N, 3, 32, 32) in [0, 1] in, scores (N, num_classes) out.
    """

    def __init__(
        self, tudui: Tudui, mean: Sequence[float] = (0.0, 0.0, 0.0), std: Sequence[float] = (1.0, 1.0, 1.0)
    ) -> None:
        super().__init__()
        self.tudui = tudui
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1))  # a buffer is saved and exported too,
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1))  #   but no optimizer moves it

    def forward(self, imgs: Tensor) -> Tensor:
        return self.tudui((imgs - self.mean) / self.std)


def read_picture(path: str) -> Tensor:
    """A picture file of any format and mode as (3, 32, 32) in [0, 1]; CourseError when it is none."""
    if not Path(path).is_file():
        raise CourseError(f"there is no picture {path}: --image takes the path of a file, such as photo.png")
    try:
        with Image.open(path) as image:
            small = to_rgb(image).resize((32, 32), Image.Resampling.BILINEAR)  # not square: it is squeezed
    except Exception as error:  # a broken file makes Pillow's decoders raise nearly anything
        raise CourseError(f"{path} is no readable picture ({error}): save it again as PNG or JPEG") from error
    return ToTensor()(small)


def read_checkpoint(path: str | Path) -> tuple[Classifier, list[str] | None]:
    """A trained Tudui from a file, and the names of its classes where the file has them.

    The file holds a checkpoint of lesson 8 or a bare state_dict. Its names may begin with anything:
    ``model1.0.weight``, ``model.0.weight``, ``module.model1.0.weight``. CourseError when it holds neither.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)  # runs no code from the file
    except OSError as error:
        raise CourseError(
            f"{path} cannot be read ({error.strerror}): --checkpoint takes a .pth file"
        ) from error
    except Exception as error:  # what is no checkpoint makes torch.load raise nearly anything
        raise CourseError(
            f"{path} is no checkpoint that is safe to open: it must hold tensors and plain values alone, "
            "so save the state_dict and not the whole model (lesson 7)"
        ) from error
    try:
        saved = content.get("model", content)  # lesson 8's checkpoint, or a bare state_dict
        prefix = next(iter(saved)).removesuffix("0.weight")  # what stands before the first layer's number
        weights = {f"model1.{name.removeprefix(prefix)}": weight for name, weight in saved.items()}
        tudui = Tudui(num_classes=len(weights["model1.8.bias"]))
        tudui.load_state_dict(weights)
    except (AttributeError, KeyError, RuntimeError, StopIteration, TypeError) as error:
        raise CourseError(
            f"{path} does not hold the weights of a Tudui: give a checkpoint of lesson 8, or leave it out"
        ) from error
    normalisation = {name: content[name] for name in ("mean", "std") if name in content}
    return Classifier(tudui, **normalisation), content.get("classes")


def train_briefly(train_data: CourseData) -> Classifier:
    """Lesson 8's fast recipe for twice 40 steps, which are two epochs of Sketch10: some 10 seconds."""
    recipe = RECIPES["fast"]
    dataloader = DataLoader(train_data, recipe.batch_size, shuffle=True)
    pictures, num_classes = torch.from_numpy(train_data.data), len(train_data.classes)
    training = Training(recipe, pictures, num_classes, total_steps=2 * min(40, len(dataloader)))
    for _ in range(2):
        for imgs, targets in track(islice(dataloader, 40), "training", total=40, transient=True):
            training.step(imgs, targets)
    tudui = training.model.to(memory_format=torch.contiguous_format)  # torch.export would warn of another
    return Classifier(tudui, training.mean.tolist(), training.std.tolist())


@torch.no_grad()
def occlusion_map(classifier: nn.Module, img: Tensor) -> Tensor:
    """Where the answer hangs on the picture: cover a part of it, and see how far the top class falls.

    For one picture (3, 32, 32) in [0, 1]: how far the probability of its likeliest class falls when a grey
    square lies on a pixel, (1, 32, 32), the mean over the 16 places of the square that cover this pixel.
    Source: Zeiler and Fergus, Visualizing and Understanding Convolutional Networks, 2014.
    """
    # It hangs over the edges too, so that every pixel is covered equally often: 19 * 19 = 361 places
    corners = list(product(range(STRIDE - SQUARE, 32, STRIDE), repeat=2))
    masks = torch.zeros(len(corners), 1, 32, 32)  # 1 where the square lies
    for mask, (top, left) in zip(masks, corners, strict=True):
        mask[:, max(top, 0) : top + SQUARE, max(left, 0) : left + SQUARE] = 1
    covered = img * (1 - masks) + 0.5 * masks  # (361, 3, 32, 32): all places in one batch
    before = classifier(img.unsqueeze(0)).softmax(dim=1)  # (1, C)
    after = classifier(covered).softmax(dim=1)  # (361, C)
    falls = (before - after)[:, before.argmax()]  # (361,)
    return (falls.view(-1, 1, 1, 1) * masks).sum(dim=0) / (SQUARE // STRIDE) ** 2


@torch.no_grad()
def feature_maps(classifier: Classifier, imgs: Tensor) -> list[Tensor]:
    """What leaves each of the three stages: (N, 32, 16, 16), (N, 32, 8, 8), (N, 64, 4, 4).

    A forward hook is called with a layer's output each time that the layer has run. So any network can be
    looked into without a change to its code.
    """
    maps = []
    poolings = [layer for layer in classifier.modules() if isinstance(layer, nn.MaxPool2d)]
    hooks = [
        layer.register_forward_hook(lambda layer, inputs, output: maps.append(output)) for layer in poolings
    ]
    classifier(imgs)
    for hook in hooks:
        hook.remove()  # or the next batch would be kept as well
    return maps


@torch.no_grad()
def export(classifier: Classifier, imgs: Tensor, folder: Path) -> dict[str, float]:
    """Export in two ways, run each file on pictures (N, 3, 32, 32): by how much do any scores differ?"""
    outputs = classifier(imgs)
    # The export follows an example through the network. The sizes that it meets there are fixed in the file,
    # unless they are named as dynamic; and a batch of 1 counts as fixed always, so the example has more
    example = torch.cat([imgs, imgs])  # (2N, 3, 32, 32)
    sizes = ({0: torch.export.Dim("batch")},)  # of the one input, imgs: its dimension 0
    program = torch.export.export(classifier, (example,), dynamic_shapes=sizes)
    torch.export.save(program, folder / "tudui.pt2")
    again = torch.export.load(folder / "tudui.pt2").module()  # needs torch, but no class Tudui
    differences = {"tudui.pt2": (again(imgs) - outputs).abs().max().item()}

    try:
        import onnxruntime
        import onnxscript  # noqa: F401  torch.onnx.export writes the file with it
    except ImportError:
        print('no ONNX export: pip install -e ".[onnx]" installs what it needs')
        return differences
    names = {"input_names": ["imgs"], "output_names": ["outputs"], "dynamic_shapes": sizes}
    onnx_program = torch.onnx.export(program, dynamo=True, verbose=False, **names)
    onnx_program.save(folder / "tudui.onnx")
    session = onnxruntime.InferenceSession(folder / "tudui.onnx")  # needs no torch
    (again,) = session.run(None, {"imgs": imgs.numpy()})
    differences["tudui.onnx"] = (torch.from_numpy(again) - outputs).abs().max().item()
    return differences


def main(dataset: str = DATASET, image: list[str] | None = None, checkpoint: str = "", seed: int = 0) -> dict:
    torch.manual_seed(seed)
    # A number before each name: two folders may hold a photo.png each
    names = [f"{number} {Path(path).name}" for number, path in enumerate(image or [], start=1)]
    imgs = [read_picture(path) for path in image or []]
    best = course_dir("models_saved").glob("p08_train/*/best.pth")
    path = checkpoint or max(best, key=lambda path: path.stat().st_mtime, default=None)

    train_data = test_data = None
    if path:
        print(f"network: {path}")
        classifier, classes = read_checkpoint(path)
    else:
        print("network: trained now, for some seconds (lessons run 8 leaves a better one)")
        train_data = open_dataset(dataset, train=True, transform=ToTensor())
        classifier, classes = train_briefly(train_data), train_data.classes
    if not image or not classes:
        test_data = open_dataset(dataset, train=False, transform=ToTensor())
    if not classes:  # a bare state_dict has numbers only
        num_classes = classifier.tudui.model1[8].out_features
        fit = len(test_data.classes) == num_classes
        classes = test_data.classes if fit else [f"class {number}" for number in range(num_classes)]
    if not image:
        if list(test_data.classes) != list(classes):
            told = f"this network knows other classes than {test_data.name} has"
            raise CourseError(f"{told}: name its --dataset, or give an --image")
        for number, index in enumerate(range(0, len(test_data), len(test_data) // 3 + 1), start=1):
            img, target = test_data[index]
            names.append(f"{number} {test_data.classes[target]} (test)")
            imgs.append(img)
    imgs = torch.stack(imgs)  # (N, 3, 32, 32)

    with RunWriter(__file__, train_data, test_data, seed=seed, network=path or "trained now") as writer:
        classifier.eval()  # Tudui has no layer that minds; Dropout and BatchNorm would
        with torch.no_grad():
            probabilities = classifier(imgs).softmax(dim=1)  # (N, C)
        top = probabilities.topk(min(5, len(classes)))  # values and indices, each (N, 5)
        stages = feature_maps(classifier, imgs)
        heats = []
        for index, (name, img) in enumerate(zip(names, imgs, strict=True)):
            print(name)
            for probability, number in zip(top.values[index], top.indices[index], strict=True):
                print(f"  {classes[number]:<16} {probability:6.1%}")

            heat = occlusion_map(classifier, img).clamp(min=0)  # (1, 32, 32)
            heats.append(heat)
            share = heat / heat.max().clamp(min=1e-6)  # of the largest fall, which becomes the deepest red
            looked = img.mean(dim=0, keepdim=True).lerp(RED, 0.8 * share)  # (3, 32, 32)
            fall = f"{classes[top.indices[index, 0]]} falls by {heat.max():.0%}"
            captions = ["what it saw", f"covered where red,\n{fall}"]
            writer.add_figure(f"{name}/seen", captioned_chart(torch.stack([img, looked]), captions))
            for stage, maps in enumerate(stages, start=1):
                maps = maps[index].unsqueeze(1)  # (C, H, W) -> (C, 1, H, W): a grey picture for each channel
                grid = make_grid(maps, normalize=True, scale_each=True, pad_value=1)
                writer.add_image(f"{name}/stage {stage}", grid)

        folder = course_dir("models_saved")
        differences = export(classifier, imgs, folder)
        for file, difference in differences.items():
            print(f"exported to {folder / file}, and run again: scores differ by {difference:.1e} at most")
        writer.result = f"{names[0]}: {classes[top.indices[0, 0]]} {top.values[0, 0]:.1%}"

    return {
        "run": writer.folder,
        "classifier": classifier,
        "classes": classes,
        "probabilities": probabilities,
        "top": top,
        "heats": torch.stack(heats),
        "stages": stages,
        "differences": differences,
    }


if __name__ == "__main__":
    command_line(main)
