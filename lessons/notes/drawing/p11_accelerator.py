"""Lesson 11: host and device over time, for three steps of the ladder."""

from lessons.notes.drawing.svg import (
    BLUE,
    BORDER,
    FROZEN,
    GREEN,
    GREY,
    ORANGE,
    PALE_BLUE,
    PALE_GREEN,
    PALE_ORANGE,
    WHITE,
    Drawing,
)
from lessons.p08_train import choose_recipe
from lessons.p11_accelerator import LADDER

WORDS: dict[str, tuple[str, str]] = {
    "title": ("Who waits for whom: host and device over time", "谁在等谁：主机和设备的时间线"),
    "host": ("host", "主机"),
    "device": ("device", "设备"),
    "plain": (
        "{0}: the device waits for the host",
        "{0}：设备在等主机",
    ),
    "batches": (
        "{0}, pinned, non_blocking: the host works ahead",
        "{0}，锁页内存，non_blocking：主机走在前面",
    ),
    "held": (
        "{0}: nothing left to prepare or to copy",
        "{0}：不用准备，也不用复制",
    ),
    "copied": ("{0:.1f} MB are copied for each batch of {1}", "每批 {1} 张，要复制 {0:.1f} MB"),
    "once": (
        "{0:.2f} GB are copied once: CIFAR-10, as bytes",
        "只复制一次，{0:.2f} GB：CIFAR-10，按字节存",
    ),
    "prepare": ("prepare", "准备"),
    "copy": ("copy", "复制"),
    "hand over": ("hand over", "下达任务"),
    "wait": ("waits", "等待"),
    "train": ("training step", "训练一步"),
    "time": ("time", "时间"),
    "drawn": (
        "Lengths are chosen to show the idea; they are not measured.",
        "长度只为说明道理，不是测出来的。",
    ),
}


def lanes(prepare: float, copy: float, step: float, blocking: bool, until: float) -> list[tuple]:
    """What host and device do: (lane, what, start, end), until the time is over.

    The host prepares a batch, hands its copy over and then the step. With ``blocking`` it waits for the end
    of the copy. The device does what it was handed, in order.
    """
    hand_over = 1.0
    spans, host, device = [], 0.0, 0.0
    while host < until:
        spans.append(("host", "prepare", host, host + prepare))
        host += prepare
        copied = max(host, device) + copy
        spans.append(("device", "copy", copied - copy, copied))
        if blocking:
            spans.append(("host", "wait", host, copied))
            host = copied
        spans.append(("host", "hand over", host, host + hand_over))
        begin = max(copied, host)
        device = begin + step
        spans.append(("device", "train", begin, device))
        host += hand_over
    return [
        (lane, what, start, min(end, until))
        for lane, what, start, end in spans
        if start < end and start < until
    ]


def figure(words: dict[str, str]) -> Drawing:
    draw = Drawing(880, 478, words["title"])
    colours = {
        "prepare": (PALE_ORANGE, ORANGE),
        "copy": (PALE_BLUE, BLUE),
        "hand over": (FROZEN, GREY),
        "wait": (WHITE, GREY),
        "train": (PALE_GREEN, GREEN),
    }
    until = 36.0
    batch_size = choose_recipe("fast").batch_size
    batch_mb = batch_size * 3 * 32 * 32 * 4 / 1e6  # float32
    all_gb = 45_000 * 3 * 32 * 32 / 1e9  # uint8; of 50,000, one in ten is held back
    plain, batches, *_, held, _ = LADDER
    copied = words["copied"].format(batch_mb, batch_size)
    timelines = (
        (plain, "plain", copied, (6, 1, 3, True)),
        (batches, "batches", copied, (1.6, 0.8, 3, False)),
        (held, "held", words["once"].format(all_gb), (0, 0, 3, False)),
    )
    for index, (rung, heading, below, durations) in enumerate(timelines):
        top = 24 + 128 * index
        draw.text(30, top + 14, words[heading].format(rung.name.removeprefix("+ ")), bold=True)
        draw.text(850, top + 14, below, 13, GREY, "end")
        for lane, y in (("host", top + 26), ("device", top + 64)):
            draw.text(84, y + 21, words[lane], 14, GREY, "end")
            draw.rect(94, y, 756, 32, WHITE, BORDER, radius=0, line=1)
        for lane, what, start, end in lanes(*durations, until=until):
            left, width = 94 + start * 756 / until, (end - start) * 756 / until
            fill, stroke = colours[what]
            y = top + (26 if lane == "host" else 64)
            draw.rect(left, y + 3, width, 26, fill, stroke, dashed=what == "wait", radius=2, line=1)
    draw.arrow(94, 402, 846, 402)
    draw.text(850, 422, words["time"], 13, GREY, "end")
    left = 94
    for what, (fill, stroke) in colours.items():
        draw.rect(left, 412, 20, 16, fill, stroke, dashed=what == "wait", radius=2, line=1)
        draw.text(left + 27, 425, words[what], 14)
        left += 136
    draw.text(94, 456, words["drawn"], 14, GREY)
    return draw
