"""Lesson 7: what a whole model, a state_dict and a checkpoint hold, and what each needs to be loaded."""

from lessons.notes.drawing.svg import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PALE_BLUE,
    PALE_GREEN,
    PALE_ORANGE,
    WHITE,
    Drawing,
)
from lessons.tudui import Tudui

WORDS: dict[str, tuple[str, str]] = {
    "title": ("Three things to save", "可以保存的三种东西"),
    "whole": ("the whole model", "整个模型"),
    "weights": ("a state_dict", "state_dict"),
    "checkpoint": ("a checkpoint", "检查点"),
    "whole_holds": ("a pickle: the class's name and the weights", "pickle：类的名字和权重"),
    "weights_holds": ("names → tensors, nothing else", "名字 → 张量，别的没有"),
    "checkpoint_holds": ("all that the training needs to go on", "接着训练需要的一切"),
    "class_name": ("name of your class, not its code", "类的名字，没有类的代码"),
    "all_weights": ("weights", "权重"),
    "more": ("... and {0} more", "…… 还有 {0} 个"),
    "momentum": ("momentum", "动量"),
    "to_load": ("To load it", "加载时"),
    "whole_needs": ("needs: the class, in its old place", "需要：类还在原来的位置"),
    "whole_risk": ("and trust: it may run any code", "还要信任它：能运行任意代码"),
    "weights_needs": ("needs: a model built by your code", "需要：先用代码建好模型"),
    "weights_risk": ("runs no code", "不运行代码"),
    "checkpoint_needs": ("needs: model and optimizer, built", "需要：建好模型和优化器"),
    "checkpoint_risk": ("the losses go on as without a stop", "损失接着走，像没停过一样"),
}


def figure(words: dict[str, str]) -> Drawing:
    draw = Drawing(880, 440, words["title"])
    state = Tudui().state_dict()
    columns = ((24, "whole", ORANGE, PALE_ORANGE), (306, "weights", BLUE, PALE_BLUE))
    for x, name, colour, pale in (*columns, (588, "checkpoint", GREEN, PALE_GREEN)):
        draw.rect(x, 24, 268, 392, WHITE, colour, radius=8)
        draw.text(x + 16, 54, words[name], 17, colour, bold=True)
        draw.text(x + 16, 78, words[f"{name}_holds"], 12.5, GREY)
        draw.rect(x + 14, 94, 240, 170, pale, colour)
        draw.text(x + 16, 292, words["to_load"], 14, bold=True)
        load = {
            "whole": ["torch.load(path,", "    weights_only=False)"],
            "weights": ["model.load_state_dict(", "    torch.load(path))"],
            "checkpoint": ['model: checkpoint["model"]', 'optimizer: checkpoint["optimizer"]'],
        }[name]
        for index, line in enumerate(load):
            draw.text(x + 16, 316 + 20 * index, line.replace("    ", "\u00a0" * 4), 11.5, code=True)
        draw.text(x + 16, 368, words[f"{name}_needs"], 14)
        draw.text(x + 16, 392, words[f"{name}_risk"], 14, colour)

    draw.block(52, 108, 212, 44, ["my_training_script.Net"], WHITE, ORANGE, code=True, size=13)
    draw.text(158, 172, words["class_name"], 13, GREY, "middle")
    draw.block(52, 190, 212, 56, [words["all_weights"]], WHITE, ORANGE)
    shown = 5
    for index, (name, weight) in enumerate(list(state.items())[:shown]):
        draw.text(330, 120 + 25 * index, name, 12, code=True)
        draw.text(554, 120 + 25 * index, str(tuple(weight.shape)), 12, anchor="end")
    draw.text(330, 120 + 25 * shown, words["more"].format(len(state) - shown), 13, GREY)
    for index, (key, value) in enumerate(
        (('"model"', "state_dict"), ('"optimizer"', f"state_dict ({words['momentum']})"), ('"step"', "20"))
    ):
        draw.text(614, 132 + 50 * index, key, 13, code=True)
        draw.block(708, 110 + 50 * index, 128, 34, [value], WHITE, GREEN, size=11)
    return draw
