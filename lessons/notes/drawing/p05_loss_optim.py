"""Lesson 5: loss and accuracy over 20 epochs, drawn from a run that is stored here."""

from lessons.notes.drawing.svg import BLUE, GREEN, GREY, ORANGE, Drawing

# Measured, not computed: what `lessons run 5` (Sketch10, seed 0, CPU, one thread) printed for each epoch:
# the loss on training pictures, the loss and the accuracy on test pictures. Another run may differ by a
# picture or two. When the pictures or the lesson change, run it again and put its lines here
STORED_RUN = (
    (2.301, 2.294, 0.169),
    (2.287, 2.278, 0.161),
    (2.264, 2.241, 0.265),
    (2.199, 2.135, 0.286),
    (2.065, 1.983, 0.320),
    (1.925, 1.842, 0.352),
    (1.799, 1.702, 0.373),
    (1.687, 1.578, 0.445),
    (1.585, 1.491, 0.477),
    (1.489, 1.406, 0.503),
    (1.404, 1.332, 0.526),
    (1.310, 1.242, 0.552),
    (1.238, 1.180, 0.590),
    (1.156, 1.077, 0.634),
    (1.078, 1.039, 0.641),
    (1.016, 0.963, 0.683),
    (0.963, 0.900, 0.712),
    (0.881, 0.868, 0.702),
    (0.831, 0.831, 0.723),
    (0.778, 0.825, 0.714),
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
    draw.text(766, y(max(accuracies[-4:])) - 27, f"{accuracies[-1]:.1%}", 15, GREEN, "end", bold=True)
    return draw
