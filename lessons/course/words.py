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
}


def either(english: str, chinese: str) -> str:
    """The one of the two that is in the reader's language."""
    return (english, chinese)[LANGUAGES.index(language())]


def say(key: str, *values: object, **named: object) -> str:
    """The words of a key in the reader's language, with the values put in."""
    return either(*WORDS[key]).format(*values, **named)
