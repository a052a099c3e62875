"""What the ``lessons`` command says, in both languages side by side. Errors are English in both.

Like the package's ``__init__``, this must stay cheap to import.
"""

from lessons.course.notes import LANGUAGES, language

WORDS = {  # by LANGUAGES: English, Chinese
    # --- how a run ended, as run.json has it, and where there is no run.json
    "ok": ("ok", "完成"),
    "running": ("running", "运行中"),
    "interrupted": ("interrupted", "已中断"),
    "failed": ("failed", "出错"),
    "wrong input": ("wrong input", "输入有误"),
    "damaged": ("card damaged", "记录已损坏"),
    # --- the bare command
    "lesson": ("lesson", "课程"),
    "ran": ("ran", "上次运行"),
    "day": ("{:%d %b}", "{0.month}月{0.day}日"),
    "see": ("In lesson {} you will see: {}", "第 {} 课，你会看到：{}"),
    "next": (
        "next:  lessons run {:<3}     (lessons run: all of them, in order)",
        "接着：lessons run {:<3}     （lessons run：按顺序运行全部课程）",
    ),
    "then": (
        "then:  lessons board {0:<3}   what the run has logged, in TensorBoard\n"
        "       lessons read {0:<4}   its page, in the browser; lessons --help has more",
        "然后：lessons board {0:<3}   在 TensorBoard 里看这次运行的记录\n"
        "      lessons read {0:<4}   在浏览器里读这一课的讲义；更多命令见 lessons --help",
    ),
    "all done": (
        "All lessons have run: lessons board shows what they have logged.",
        "全部课程都已运行：用 lessons board 看它们的记录。",
    ),
    # --- after a run
    "seconds": ("s", "秒"),
    "result": ("result", "结果"),
    "tabs": ("look at", "标签页"),
    "look at": (
        "TensorBoard ({board}) shows run {run}:",
        "TensorBoard（{board}）里 {run} 有：",
    ),
    "in all": ("{:.0f} s in all. See it in TensorBoard: {}", "共 {:.0f} 秒。在 TensorBoard 里看结果：{}"),
    "one alone": (
        "One lesson alone, at the tab to begin with: lessons board {}",
        "单看一课，直接打开该看的标签页：lessons board {}",
    ),
    "whole traceback": ("(Python's traceback: {})", "（Python 的 traceback：{}）"),
    # --- the board
    "no runs": (
        "There are no runs yet: lessons run {}, in another terminal, makes one.",
        "还没有运行记录：在另一个终端里执行 lessons run {} 就会有。",
    ),
    "port taken": ("Port {} is taken; taking another one.", "端口 {} 已被占用，换用另一个。"),
    "address": ("TensorBoard: {}   (Ctrl-C ends it)", "TensorBoard：{} （按 Ctrl-C 结束）"),
    "open to others": (
        "--host {} opens this to others: whoever can reach this machine over the network can read all of it.",
        "--host {} 会对外开放：凡是能通过网络连到这台机器的人，都能看到这里的全部内容。",
    ),
    "by hand": ("The same by hand: {}", "也可以自己启动：{}"),
    "board ended": ("TensorBoard has ended.", "TensorBoard 已结束。"),
    # --- the site of the notes
    "site built": ("Making the site of the notes in {} ...", "正在生成讲义网站：{} ……"),
    "site written": ("The site: {}", "网站：{}"),
    "site": ("The notes: {}   (Ctrl-C ends it)", "讲义：{} （按 Ctrl-C 结束）"),
    "site name": ("Convolutional networks in PyTorch", "用 PyTorch 学卷积神经网络"),
    "to light": ("Light", "换成浅色"),
    "to dark": ("Dark", "换成深色"),
    "to system": ("As the system", "跟随系统"),
    # --- practice: what a check has found
    "practice line": (" (line {})", "（第 {} 行）"),
    "practice does not run": ("The file does not run: {}", "文件运行不了：{}"),
    "practice no question": (
        "The line question = ... is gone, which says what was asked: put it back, or reset the exercise.",
        "找不到 question = ... 这一行，不知道问的是哪一题：把它写回去，或者重置这道练习。",
    ),
    "practice no answer": (
        "No answer yet: write it in place of the three dots after answer =.",
        "还没有答案：写在 answer = 后面，换掉那三个点。",
    ),
    "practice form": (
        "{} does not have the form of an answer here, which is {}.",
        "{} 不是这题答案的形式，应该是{}。",
    ),
    "practice unknown answer": (
        "{} is not right, and none of the usual slips leads to it.",
        "{} 不对，也不是哪一种常见的错法。",
    ),
    "practice tuple of": ("a tuple of {}", "含 {} 项的元组"),
    "practice dict of": ("a dict with the keys {}", "键为 {} 的字典"),
    "practice float": ("a number", "一个数"),
    "practice str": ("a text in quotation marks", "引号里的文字"),
    "practice bool": ("True or False", "True 或 False"),
    "practice NoneType": ("None", "None"),
    "practice not allowed": (
        "This one is to be written without {}: that would do the whole exercise.",
        "这道练习不能用 {}：用了它就没有什么可写的了。",
    ),
    "practice as at the start": (
        "It still does what the file did at the start: nothing, so far.",
        "和刚开始一样，还什么都没有做。",
    ),
    "practice case": ("With {}:", "取 {} 时："),
    "practice raises": ("Your code raises {}", "你的代码抛出 {}"),
    "practice yours": ("yours", "你的"),
    "practice wanted": ("wanted", "应为"),
    "practice judge gone": ("The check was ended from outside.", "检查从外面被终止了。"),
    "practice restored": ("Removed while it ran, and put back: {}.", "运行时被删掉、已经放回来的文件：{}。"),
    "practice no plain values": (
        "What it gives cannot be compared: no numbers, texts or tensors.",
        "它给出的东西没法比较：不是数、文字或张量。",
    ),
    "practice too slow": (
        "Still running after {:.0f} s{}, so it was stopped: a loop without an end?",
        "{:.0f} 秒后还在运行{}，已停止：是不是死循环？",
    ),
    "practice prints": (
        "It printed more than {:.0f} MB, so it was stopped: a print in a loop?",
        "打印超过了 {:.0f} MB，已停止：是不是在循环里打印？",
    ),
    "practice memory": (
        "It wanted more than {:.2g} GB of memory{}, so it was stopped: something that grows without end?",
        "它要用的内存超过了 {:.2g} GB{}，已停止：是不是有什么在不停地变大？",
    ),
    "practice killed": (
        "Its process was ended by signal {}; out of memory ends so, too.",
        "它的进程被信号 {} 终止了；内存用完时也会这样。",
    ),
    "practice ended": (
        "The file ended its own process, with exit code {}, before the check was over.",
        "检查还没结束，文件就自己退出了进程，退出码 {}。",
    ),
    "practice damaged": (
        "{} was damaged. It is kept as {}; {} exercises could still be read from it.",
        "{} 已损坏，原样保留为 {}；还能读出 {} 道练习的进度。",
    ),
    # --- practice: where you are
    "practice": ("practice", "练习"),
    "practice done": ("done", "完成"),
    "practice exercises": ("exercises", "练习"),
    "practice next": ("next:  {}", "接着：{}"),
    "practice file": ("file:  {}", "文件：{}"),
    "practice then": (
        "then:  lessons practice watch {0}   checks it each time you save it\n"
        "       lessons practice hint {0}    a hint; lessons practice --help has more",
        "然后：lessons practice watch {0}   每次保存都检查一遍\n"
        "      lessons practice hint {0}    看一条提示；更多见 lessons practice --help",
    ),
    "practice all done": ("All exercises are done.", "全部练习都已完成。"),
    "practice gave up": ("solution seen", "看过答案"),
    # --- practice: after a check
    "practice passed": ("passed", "通过"),
    "practice open": ("as at the start", "和开始时一样"),
    "practice wrong": ("not yet", "还不对"),
    "practice stopped": ("stopped", "已停止"),
    "practice again": ("right, and once more", "对了，再来一题"),
    "practice once more": (
        "Right now. The first answer was not, so here is one more question, with other numbers, at the end "
        "of your file.",
        "这次对了。第一次没答对，所以换一组数再答一题，题目在文件末尾。",
    ),
    "practice your output": ("Your file printed:", "你的文件打印了："),
    "practice a solution": ("a solution", "参考答案"),
    "practice your code": ("your code", "你的代码"),
    "practice hints left": (
        "A hint: {}   ({} of {} seen)",
        "看提示：{}   （已看 {}/{} 条）",
    ),
    "practice hint": ("Hint {} of {}: {}", "提示 {}/{}：{}"),
    "practice last hint": ("That was the last hint.", "提示就这些了。"),
    "practice not passed": (
        "The solution is shown after passing; --give-up shows it now, and that stays in the progress.",
        "通过之后才看得到答案；加 --give-up 现在就看，进度里会记下来。",
    ),
    "practice next exercise": (
        "Next: {}   {}",
        "下一道：{}   {}",
    ),
    "practice reset?": (
        "Begin {} anew? The file is kept beside the new one.",
        "重新开始 {}？原来的文件会留在旁边。",
    ),
    "practice new file": ("A new file is at {}", "新文件在 {}"),
    "practice old file": ("; the old one is {} beside it", "；原来的留在旁边，叫 {}"),
    "practice new": ("A new question is at the end of {}", "新的一题在 {} 末尾"),
    "practice key": ("press {}", "按 {}"),
    "practice checking": ("{}   checking ...", "{}   正在检查……"),
    "practice file gone": (
        "{} is not there. Save it again, or press r for a new one.",
        "找不到 {}。重新保存一次，或者按 r 新建一份。",
    ),
    "practice partly": (
        "On {0} of the {1} cases that are wrong, it gives just what this mistake gives:\n{2}",
        "{1} 个出错的例子里，有 {0} 个的结果和犯了这个错误时一模一样：\n{2}",
    ),
    "practice slow": (
        "(This system cannot fork a warm process, so each check takes some seconds.)",
        "（这个系统不能复制预热好的进程，每次检查要几秒钟。）",
    ),
    "practice watching": (
        "Watching {}\nkeys: h hint   n next   r reset   Enter check   q quit",
        "正在监视 {}\n按键：h 提示   n 下一道   r 重置   回车 检查   q 退出",
    ),
    "practice file head": (
        "{0} ({1})\n"
        "Write here, and check with: lessons practice check {2}   (a hint: lessons practice hint {2})",
        "{0}（{1}）\n写在下面，用 lessons practice check {2} 检查   （提示：lessons practice hint {2}）",
    ),
    "practice Predict": ("predict", "预测"),
    "practice Write": ("write", "编写"),
    "practice Mend": ("mend", "修正"),
    "practice belongs": ("belongs to these numbers", "和上面的数配套，别改"),
}


def either(english: str, chinese: str) -> str:
    """The one of the two that is in the reader's language."""
    return (english, chinese)[LANGUAGES.index(language())]


def say(key: str, *values: object, **named: object) -> str:
    """The words of a key in the reader's language, with the values put in."""
    return either(*WORDS[key]).format(*values, **named)
