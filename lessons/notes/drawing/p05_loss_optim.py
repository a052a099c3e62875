"""Lesson 5: loss and accuracy over 20 epochs, drawn from a run that is stored here."""

from lessons.notes.drawing.svg import BLUE, GREEN, GREY, ORANGE, Drawing

# Measured, not computed: what `lessons run 5` (Sketch10, seed 0, CPU, two threads) printed for each epoch:
# the loss on training pictures, the loss and the accuracy on test pictures. Another run may differ by a
# picture or two. When the pictures or the lesson change, run it again and put its lines here
STORED_RUN = (
    (2.300, 2.291, 0.130),
    (2.281, 2.267, 0.139),
    (2.243, 2.201, 0.282),
    (2.123, 2.023, 0.340),
    (1.930, 1.819, 0.390),
    (1.743, 1.641, 0.418),
    (1.586, 1.458, 0.504),
    (1.429, 1.290, 0.554),
    (1.294, 1.168, 0.588),
    (1.145, 1.075, 0.623),
    (1.034, 0.938, 0.685),
    (0.907, 0.840, 0.719),
    (0.811, 0.736, 0.746),
    (0.718, 0.694, 0.763),
    (0.637, 0.568, 0.808),
    (0.550, 0.522, 0.827),
    (0.532, 0.463, 0.840),
    (0.432, 0.483, 0.829),
    (0.399, 0.387, 0.872),
    (0.340, 0.384, 0.864),
)

WORDS: dict[str, tuple[str, str]] = {
    "title": ("Loss and accuracy in 20 epochs on Sketch10", "Sketch10 上 20 轮的损失和准确率"),
    "loss": ("loss", "损失"),
    "accuracy": ("accuracy on test pictures", "测试图片上的准确率"),
    "train": ("train", "训练"),
    "test": ("test", "测试"),
    "epoch": ("epoch", "轮"),
    "guess": ("guessing among ten", "十类里随机猜"),
}


def figure(words: dict[str, str]) -> Drawing:
    draw = Drawing(820, 360, words["title"])
    epochs = range(1, len(STORED_RUN) + 1)
    losses, test_losses, accuracies = zip(*STORED_RUN, strict=True)
    across = (1, *range(5, len(STORED_RUN) + 1, 5))

    draw.text(70, 40, words["loss"], bold=True)
    up = {value / 2: f"{value / 2:.1f}" for value in range(6)}
    x, y = draw.axes(70, 300, 300, 230, across, up, words["epoch"])
    for row, (name, curve, colour) in enumerate((("train", losses, BLUE), ("test", test_losses, ORANGE))):
        draw.line([(x(epoch), y(loss)) for epoch, loss in zip(epochs, curve, strict=True)], colour, 2.5)
        draw.line([(270, 83 + 20 * row), (296, 83 + 20 * row)], colour, 2.5)  # between two grid lines
        draw.text(304, 88 + 20 * row, f"{words[name]} {curve[-1]:.3f}", 14, colour)

    draw.text(470, 40, words["accuracy"], bold=True)
    up = {share / 5: f"{share * 20} %" for share in range(6)}
    x, y = draw.axes(470, 300, 300, 230, across, up, words["epoch"])
    guess = y(0.1)
    draw.line([(470, guess), (770, guess)], GREY, 1.5)
    draw.text(766, guess - 6, words["guess"], 13, GREY, "end")
    draw.line([(x(epoch), y(share)) for epoch, share in zip(epochs, accuracies, strict=True)], GREEN, 2.5)
    draw.text(766, y(max(accuracies[-4:])) - 12, f"{accuracies[-1]:.1%}", 15, GREEN, "end", bold=True)
    return draw
