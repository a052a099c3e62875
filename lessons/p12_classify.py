"""12. Classify: your own picture

A trained network meets pictures that no data set holds: yours, of any format and size. You see what is left
of them at 32x32, the five likeliest classes, and where the network looked. Then the network leaves the
course: exported in two ways, run again from each file, and compared with the original.

    lessons run 12 --image photo.png --image another.jpg

A network that has learnt from drawings knows drawings. For photographs, train it on photographs first
(lessons run 8 --dataset cifar10, or a folder of your own).

You will see: for each picture, in IMAGES, what the network saw and where it looked.
"""

import sys
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor, nn
from torchvision.transforms import ToTensor

from lessons.course import DATASET, CourseError, course_dir
from lessons.course.checkpoints import classes_and_dataset, opened_safely
from lessons.course.datasets import CourseData, Sketch10, open_dataset
from lessons.course.logbook import RunWriter
from lessons.course.options import command_line
from lessons.course.pictures import open_picture, shown_name
from lessons.course.shapes import explain_no_weights, explain_other_weights
from lessons.p10_mistakes import find_network, seen_chart
from lessons.tudui import Classifier, DeeperTudui, Tudui


def read_picture(path: str) -> Tensor:
    """A picture file of any format and mode as (3, 32, 32) in [0, 1]; CourseError when it is none."""
    small = open_picture(path).resize((32, 32), Image.Resampling.BILINEAR)  # not square: it is squeezed
    return ToTensor()(small)


def open_safely(path: str) -> dict:
    """What a .pth file holds, without running code from it; CourseError when that is not possible."""
    with opened_safely(path):
        return torch.load(path, map_location="cpu", weights_only=True)


def open_trusting(path: str) -> dict:
    """The same for a file that holds a whole model: its state_dict. Any code in the file runs (lesson 7)."""
    print(f"--unsafe-pickle: {path} may now run any code, with all that you may do yourself.")
    print("Do it with files of your own alone, and save the state_dict next time (lesson 7).")
    vars(sys.modules["__main__"]).setdefault("Tudui", Tudui)  # where a script has saved its own class
    with opened_safely(path, trusting=True):
        content = torch.load(path, map_location="cpu", weights_only=False)
    return content.state_dict() if isinstance(content, nn.Module) else content


def network_for(weights: dict[str, Tensor]) -> Tudui:
    """An untrained network that the weights of a ``model1`` fit: Tudui, or its deeper sister of lesson 14."""
    num_classes = max(1, len(list(weights.values())[-1]))  # the last bias has a number a class
    stages = [weights[name] for name in ("2.0.weight", "3.0.weight", "4.0.weight") if name in weights]
    if stages:
        return DeeperTudui(num_classes, widths=[len(weight) for weight in stages])
    return Tudui(num_classes)


def read_checkpoint(
    path: str, unsafe_pickle: bool = False
) -> tuple[Classifier, list[str] | None, str | None]:
    """A trained network from a file; and its classes and data set, where the file names them.

    The file holds a checkpoint of a lesson or a bare state_dict. Its names may begin with anything:
    ``model1.0.weight``, ``model.0.weight``, ``module.network.model1.0.weight``.
    """
    content = open_trusting(path) if unsafe_pickle else open_safely(path)
    first = next(iter(Tudui().model1.state_dict()))  # 0.weight
    try:
        wrapped = [key for key in ("model", "model_state_dict", "state_dict", "net") if key in content]
        saved = content[wrapped[0]] if wrapped else content
        prefix = next(name for name in saved if name.endswith(first)).removesuffix(first)
        weights = {name.removeprefix(prefix): weight for name, weight in saved.items()}
        explain_no_weights(weights, path)
        # A Classifier's own mean and std have another prefix; without them, pictures go in as they are
        own = [name for name in weights if name.rpartition(".")[2] in ("mean", "std")]
        normalisation = {name.rpartition(".")[2]: weights.pop(name) for name in own}
        with torch.device("meta"):  # without memory, however much of it the file asks for
            network = network_for(weights)
    except (AttributeError, IndexError, RuntimeError, StopIteration, TypeError) as error:
        raise CourseError(
            f"{path} does not hold the weights of a Tudui: give a checkpoint of lesson 8, or leave it out"
        ) from error
    explain_other_weights(network.model1, weights, path)
    network.to_empty(device="cpu").model1.load_state_dict(weights)
    classifier = Classifier(network)
    complete = classifier.state_dict() | normalisation
    explain_other_weights(classifier, complete, path)
    classifier.load_state_dict(complete)
    return classifier.eval(), *classes_and_dataset(content, network, path)


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


def own_pictures(image: list[str]) -> tuple[list[str], Tensor]:
    """Names and pictures (N, 3, 32, 32) of files; numbered, since two folders may hold a photo.png each."""
    names = [f"{number} {shown_name(path)}" for number, path in enumerate(image, start=1)]
    return names, torch.stack([read_picture(path) for path in image])


def three_of(data: CourseData) -> tuple[list[str], Tensor]:
    """Names and pictures (3, 3, 32, 32) out of a data set."""
    some = [data[index] for index in range(0, len(data), len(data) // 3 + 1)]
    names = [f"{number} {data.classes[target]} (test)" for number, (_, target) in enumerate(some, start=1)]
    return names, torch.stack([img for img, _ in some])


def main(
    dataset: str = DATASET,
    image: list[str] | None = None,
    checkpoint: str = "",
    unsafe_pickle: bool = False,
    seed: int = 0,
) -> dict:
    torch.manual_seed(seed)
    test_data = None if image else open_dataset(dataset, train=False, transform=ToTensor())
    names, imgs = own_pictures(image) if image else three_of(test_data)  # (N, 3, 32, 32)
    if checkpoint:
        classifier, classes, learnt_from = read_checkpoint(checkpoint, unsafe_pickle)
    else:
        classifier, classes, learnt_from = find_network(dataset)
    if not classes:  # a bare state_dict has numbers only
        num_classes = classifier.network.head.out_features
        known = open_dataset(dataset, train=False).classes
        fit = len(known) == num_classes
        classes = known if fit else [f"class {number}" for number in range(num_classes)]
    if image and learnt_from == Sketch10.name:
        print("this network has only ever seen drawings: what it says of a photograph is a guess.")
        print("For photographs, train it on photographs first: lessons run 8 --dataset cifar10, or a folder")

    settings = {"seed": seed, "network": checkpoint or "lesson 8's", "learnt_from": learnt_from}
    with RunWriter(__file__, test_data=test_data, **settings) as writer:
        with torch.no_grad():
            probabilities = classifier(imgs).softmax(dim=1)  # (N, C)
        top = probabilities.topk(min(5, len(classes)))  # values and indices, each (N, 5)
        for index, name in enumerate(names):
            print(name)
            for probability, number in zip(top.values[index], top.indices[index], strict=True):
                print(f"  {classes[number]:<16} {probability:6.1%}")
            answer = f"{classes[top.indices[index, 0]]} {top.values[index, 0]:.1%}"
            writer.add_figure(name, seen_chart(classifier, imgs[index], answer))
            writer.result = writer.result or answer

        folder = course_dir("models_saved")
        differences = export(classifier, imgs, folder)
        for file, difference in differences.items():
            print(f"exported to {folder / file}, and run again: scores differ by {difference:.1e} at most")

    return {
        "run": writer.folder,
        "classifier": classifier,
        "classes": classes,
        "probabilities": probabilities,
        "top": top,
        "differences": differences,
    }


if __name__ == "__main__":
    command_line(main)
