"""The words of a report on a shape error, in both languages side by side."""

from lessons.course.words import either

WORDS = {  # English, Chinese
    # --- where
    "refuses": ("{} ({}) does not take what arrives.", "{}（{}）接收不了传来的数据。"),
    "line fails": ("A line of {} does not fit: {}", "{} 里有一行对不上：{}"),
    "loss refuses": ("{} does not take these scores and targets.", "{} 接收不了这样的输出和标签。"),
    "load refuses": ("These weights do not belong to this {}.", "这些权重不属于这个 {}。"),
    "built": ("built", "创建"),
    "called": ("called", "调用"),
    "network called": ("from", "来自"),
    "only outside": (
        "{} runs the network in its own way; this is what the network says when it is called without it.",
        "{} 会以自己的方式运行网络；下面是不经过它、直接调用网络时的结果。",
    ),
    # --- the way there
    "way": ("The way there", "数据怎样走到这里"),
    "layer": ("layer", "层"),
    "in": ("in", "输入"),
    "out": ("out", "输出"),
    "stops": ("does not fit", "对不上"),
    "more steps": ("... {} more", "……还有 {} 步"),
    # --- what does not fit
    "what": ("What does not fit", "哪里对不上"),
    "by": (" from {}", "（来自 {}）"),
    "by input": (" from the input", "（来自输入）"),
    "flat": (
        "{channels} channels x {height} x {width} = {arrive} numbers a picture arrive, but {layer} was built "
        "for {number}{product}.",
        "每张图传来 {channels} 个通道 x {height} x {width} = {arrive} 个数，"
        "但 {layer} 是按 {number}{product} 建的。",
    ),
    "product": (" = {} x {} x {}", " = {} x {} x {}"),
    "size fits": (
        "It would fit pictures of {fits}; yours are {size}.",
        "它适合 {fits} 的图片；你的是 {size}。",
    ),
    "pooling fits": ("Or one pooling is missing.", "也可能少了一次池化。"),
    "numbers": (
        "{arrive} numbers a row arrive{by}, but {layer} was built for {number}.",
        "每行传来 {arrive} 个数{by}，但 {layer} 是按 {number} 个建的。",
    ),
    "batch eaten": (
        "The batch is gone: {path} makes {shape} of {before}. A network keeps the first dimension, one row a "
        "picture.",
        "批次这一维没有了：{path} 把 {before} 变成了 {shape}。网络要保留第一维，每张图一行。",
    ),
    "no flatten": (
        "A Linear looks at the last dimension alone. It gets {shape}, whose last is {arrive}; flattened, a "
        "picture is {product} = {flat} numbers.",
        "Linear 只看最后一维。它收到 {shape}，最后一维是 {arrive}；"
        "展平以后每张图是 {product} = {flat} 个数。",
    ),
    "channels": (
        "{arrive} channels arrive{by}, but {layer} was built for {number}.",
        "传来 {arrive} 个通道{by}，但 {layer} 是按 {number} 个建的。",
    ),
    "channels last": (
        "The channels come last in {}: PyTorch wants them before height and width.",
        "{} 里通道在最后；PyTorch 要把通道放在高和宽之前。",
    ),
    "no batch": (
        "There is no batch dimension in {}: a network takes several pictures at once, even when it is one.",
        "{} 里没有批次这一维：网络一次接收一批图片，只有一张也要写成一批。",
    ),
    "no channel": (
        "There is no channel dimension in {}: grey pictures have one channel, {}.",
        "{} 里没有通道这一维：灰度图有一个通道，应是 {}。",
    ),
    "shortcut": (
        "A convolution of 1 x 1 on that side, {}, makes {} into {}.",
        "在那一边加一个 1 x 1 的卷积 {}，就能把 {} 变成 {}。",
    ),
    "dtype": (
        "The numbers that arrive are {given}, the weights of {layer} are {wanted}.",
        "传来的数是 {given}，而 {layer} 的权重是 {wanted}。",
    ),
    "indices": (
        "An Embedding takes whole numbers (torch.long); these are {}.",
        "Embedding 接收整数（torch.long）；这里是 {}。",
    ),
    "index range": (
        "The largest index that arrives is {largest} and the smallest {smallest}; an Embedding of "
        "{rows} rows "
        "takes 0 to {last}.",
        "传来的最大下标是 {largest}，最小是 {smallest}；有 {rows} 行的 Embedding 接收 0 到 {last}。",
    ),
    "device": (
        "What arrives is on {given}, the weights of {layer} are on {wanted}.",
        "传来的数据在 {given} 上，而 {layer} 的权重在 {wanted} 上。",
    ),
    "kernel": (
        "The kernel is {kernel}, and only {sides} is left of the picture there.",
        "卷积核（池化窗口）是 {kernel}，而图片到这里只剩 {sides}。",
    ),
    "one value": (
        "BatchNorm needs more than one value a channel to take a mean in training; a batch of "
        "{shape} has one.",
        "训练时 BatchNorm 要对每个通道求均值，一个通道不能只有一个值；{shape} 这一批只有一个。",
    ),
    "one row": (
        "The last batch of the data has one picture, because {} is a multiple of {} and one more.",
        "数据的最后一批只有一张图，因为 {} 除以 {} 余 1。",
    ),
    "sides": (
        "The two sides are {one}{by_one} and {other}{by_other}: they differ in dimension "
        "{dimension}, {a} and "
        "{b}.",
        "两边是 {one}{by_one} 和 {other}{by_other}：第 {dimension} 维不一样，一边 {a}，一边 {b}。",
    ),
    "side count": (
        "The two sides are {one}{by_one} and {other}{by_other}: they have another number of dimensions.",
        "两边是 {one}{by_one} 和 {other}{by_other}：维数不一样。",
    ),
    "joined": (
        "Tensors that are joined must agree in all dimensions but the one they are joined along: "
        "these are {}.",
        "拼接的张量除了拼接的那一维，其余各维都要相同：这里是 {}。",
    ),
    "view": (
        "{shape} holds {count} numbers, and {rows} pictures have {row} each: they do not go into {wanted}.",
        "{shape} 一共 {count} 个数，{rows} 张图每张 {row} 个：放不进 {wanted}。",
    ),
    "not contiguous": (
        "view needs the numbers in one piece in memory; after a transpose or permute they are not.",
        "view 要求数据在内存里连续；transpose 或 permute 之后就不连续了。",
    ),
    "shapes": ("The shapes are {}.", "形状是 {}。"),
    "heads": (
        "{arrive} numbers a step arrive{by}, but {layer} was built for {number}.",
        "每一步传来 {arrive} 个数{by}，但 {layer} 是按 {number} 个建的。",
    ),
    # --- a loss
    "scores": ("scores (first)", "输出（第一个）"),
    "targets": ("targets (second)", "标签（第二个）"),
    "values": (", values {} to {}", "，取值 {} 到 {}"),
    "swapped": (
        "The scores come first and the targets second: here they are the other way round.",
        "输出在前，标签在后：这里写反了。",
    ),
    "one-hot": (
        "The targets are one-hot rows of whole numbers; this loss takes the number of the class, "
        "one a picture.",
        "标签是整数的 one-hot 行；这个损失要的是类别编号，每张图一个。",
    ),
    "target column": (
        "The targets are a column {}; this loss takes one number a picture, {}.",
        "标签是一列 {}；这个损失要的是每张图一个数，即 {}。",
    ),
    "target dtype": (
        "The targets are {}; this loss takes classes as torch.int64.",
        "标签是 {}；这个损失要 torch.int64 的类别编号。",
    ),
    "value dtype": (
        "The scores are {} and the targets {}; this loss takes the same kind of numbers on both sides.",
        "输出是 {}，标签是 {}；这个损失要求两边是同一种数。",
    ),
    "class range": (
        "The targets go from {} to {}, but with {} scores a picture the classes are 0 to {}.",
        "标签从 {} 到 {}，但每张图只有 {} 个输出，类别只能是 0 到 {}。",
    ),
    "rows": (
        "There are scores for {} pictures and targets for {}.",
        "输出有 {} 张图的，标签有 {} 张图的。",
    ),
    "rows from": (
        "{path} makes {shape} of {before}: it mixes the pictures of the batch.",
        "{path} 把 {before} 变成了 {shape}：一批里的图片被混在了一起。",
    ),
    "other shape": (
        "This loss compares number by number, so both sides must have the same shape: {} and {}.",
        "这个损失逐个比较数值，两边形状必须相同：{} 和 {}。",
    ),
    # --- weights
    "wrapped": (
        "This is a checkpoint with {}: the weights are in it under {!r}.",
        "这是一个检查点，里面有 {}：权重在 {!r} 下面。",
    ),
    "prefix there": (
        "The names begin with {!r} in the weights, and without it in the network.",
        "权重里的名字以 {!r} 开头，网络里没有。",
    ),
    "prefix here": (
        "The names begin with {!r} in the network, and without it in the weights.",
        "网络里的名字以 {!r} 开头，权重里没有。",
    ),
    "prefix": (
        "The names begin with {!r} in the weights and with {!r} in the network.",
        "权重里的名字以 {!r} 开头，网络里以 {!r} 开头。",
    ),
    "lacks": ("The weights lack {}.", "权重里缺少 {}。"),
    "besides": ("They also have {}.", "还多出 {}。"),
    "size": (
        "{name} is {there} in the weights and {here} in the network.",
        "{name} 在权重里是 {there}，在网络里是 {here}。",
    ),
    "and more": (" and {} more", " 等，还有 {} 个"),
    "not weights": (
        "load_state_dict takes a state_dict; this is a {}.",
        "load_state_dict 接收的是 state_dict；这里是 {}。",
    ),
    # --- what to do
    "do": (
        "What to do (each was tried on a copy: the network then runs)",
        "怎么改（都在副本上试过，改后能运行）",
    ),
    "do loss": (
        "What to do (each was tried: the loss then has a value)",
        "怎么改（都试过，改后损失能算出来）",
    ),
    "do load": (
        "What to do (each was tried on a copy: the weights then load)",
        "怎么改（都在副本上试过，改后能加载）",
    ),
    "likeliest": ("  (likeliest)", "（最可能）"),
    "add": ("add", "加上"),
    "line": ("{}, line {}:", "{} 第 {} 行："),
    "type": ("type, after the network is built", "在网络建好之后输入"),
    "type call": ("call", "调用时写"),
    "loses": (
        "What is left out keeps the numbers that it began with: train it.",
        "没有加载的部分保持初始值：还需要训练。",
    ),
    "unknown": (
        "What is wrong is not known, and nothing that was tried makes it run. The message was: {}",
        "不知道错在哪里，试过的改法都不能让它运行。原来的报错是：{}",
    ),
    "no change": (
        "Which change is the right one is not known: nothing that was tried is sure to be it.",
        "不知道该怎么改：试过的改法里没有可以确定的。",
    ),
    "message": ("PyTorch says: {}", "PyTorch 的报错：{}"),
    "runs": ("It runs: {} in, {} out.", "能运行：输入 {}，输出 {}。"),
    "other process": (
        "It failed in another process, and only its message came back: put `with why():` "
        "(from lessons.course.shapes import why) around what runs there.",
        "它在另一个进程里失败，只传回了报错文字：在那个进程运行的代码外面加上 `with why():`"
        "（from lessons.course.shapes import why）。",
    ),
}


def say(key: str, *values: object, **named: object) -> str:
    """The words of a key in the reader's language, with the values put in."""
    return either(*WORDS[key]).format(*values, **named)
