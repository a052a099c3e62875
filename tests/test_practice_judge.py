"""The verdict: right, which misunderstanding it is, or what was seen; and what the linter complains of."""

import dataclasses

import pytest
import torch
from hypothesis import strategies as st

from lessons.course.practice import lint
from lessons.course.practice.bench import OwnCode
from lessons.course.practice.grids import curve, grid, side_by_side
from lessons.course.practice.judge import START, judge
from lessons.course.practice.plain import Raised, difference, pack, plain, shorten, unpack
from lessons.course.practice.questions import answers, numbers_of
from lessons.course.practice.shelf import code_of
from lessons.practice import Mend, Predict, Write, Wrong, tensors

WORDS = {
    "title": ("Sums", "求和"),
    "task": ("Add.", "相加。"),
    "hints": [("One.", "第一。"), ("Two.", "第二。"), ("Three.", "第三。")],
}

CLAMP = Write(
    **WORDS,
    learned=("All {cases}.", "共 {cases} 个。"),
    start="def clamp(numbers, low, high):\n    ...",
    solution="""
        def clamp(numbers, low, high):
            numbers = numbers.where(numbers > low, torch.tensor(low))
            return numbers.where(numbers < high, torch.tensor(high))

        import torch
        """,
    cases=st.fixed_dictionaries(
        {"numbers": tensors((1, 6)), "low": st.floats(-5, -1), "high": st.floats(1, 5)}
    ),
    probe=lambda learner, **case: learner.clamp(**case),
    reference=lambda numbers, low, high: numbers.clamp(low, high),
    without=("clamp",),
    wrong=[
        Wrong({"numbers > low": "numbers < 100"}, "No low {low:.0f}.", "没有下限。"),
        Wrong({"numbers < high": "numbers < 100"}, "No high; {got[0]:.0f}.", "没有上限。"),
        Wrong({"> low": "< low"}, "Turned low.", "下限反了。"),
        Wrong({"< high": "> high"}, "Turned high.", "上限反了。"),
    ],
    variants=[
        {"torch.tensor(low)": "low", "torch.tensor(high)": "high"},
        {"numbers > low": "numbers >= low"},
        {"numbers < high": "numbers <= high"},
    ],
)
PREDICT = Predict(
    **WORDS,
    learned=("It is {right}.", "是 {right}。"),
    draw=lambda random: {"a": random.randint(2, 9), "b": random.randint(2, 9)},
    right=lambda q: (q.a + q.b, "Sum"),
    formula=("{a} + {b} = {right}", "{a} + {b} = {right}，"),
    wrong=[
        Wrong(lambda q: (q.a - q.b, "Sum"), "{answer} is minus.", "减了。"),
        Wrong(lambda q: (q.a * q.b, "Sum"), "Times.", "乘了。"),
        Wrong(lambda q: (q.a + q.b, "Product"), "Word.", "词。"),
        Wrong(lambda q: (q.a, "Sum"), "Only a.", "只有 a。"),
    ],
)


@pytest.fixture(autouse=True)
def english(monkeypatch):
    monkeypatch.setenv("LESSONS_LANG", "en")


def verdict_on(code, exercise=CLAMP, **options):
    bench = OwnCode(code_of(exercise, code), exercise.probe, tuple(exercise.without))
    return judge(exercise, bench, 1, **options)


# --- Code


def test_right_code_passes():
    verdict = verdict_on(CLAMP.solution)
    assert (verdict.status, verdict.says) == ("passed", "All 40.")


def test_each_known_mistake_is_recognised():
    for index, wrong in enumerate(CLAMP.wrong):
        verdict = verdict_on(wrong.answer)
        assert (verdict.status, verdict.known) == ("wrong", index)
        assert verdict.says.startswith(wrong.english.partition("{")[0])


def test_the_start_is_open():
    verdict = verdict_on("def clamp(numbers, low, high):\n    return None")
    assert (verdict.status, verdict.known) == ("open", START)


def test_two_mistakes_at_once_are_told_by_the_cases_that_show_one():
    both = {"numbers > low": "numbers < 100", "numbers < high": "numbers < 100"}
    verdict = verdict_on(both)
    assert (verdict.status, verdict.known) == ("wrong", None)
    first, sentence = verdict.says.splitlines()
    assert first.startswith("On ") and first.endswith("it gives just what this mistake gives:")
    assert sentence.startswith(("No low", "No high"))


def test_a_mistake_that_is_not_known_is_shown_and_not_explained():
    verdict = verdict_on("def clamp(numbers, low, high):\n    return numbers + 0.5")
    assert (verdict.status, verdict.known, verdict.says) == ("wrong", None, "")
    assert "yours" in verdict.seen and "wanted" in verdict.seen


def test_the_smallest_failing_case_is_shown():
    """The simplest numbers count from 1, and 3 is the first that is above the limit."""
    limits = {"low": st.just(-1.5), "high": st.just(2.5)}
    cases = st.fixed_dictionaries({"numbers": tensors((3, 9)), **limits})
    exercise = dataclasses.replace(CLAMP, cases=cases)
    verdict = verdict_on({"numbers < high": "numbers < 100"}, exercise, shrinking=10.0)
    assert verdict.seen == (
        "With low = -1.5, high = 2.5:\n"
        "numbers (3,)    yours (3,)    wanted (3,)\n"
        "1 2 3           1 2 3           1   2 2.5\n"
        "[2] 3 instead of 2.5"
    )


def test_an_operation_that_would_be_no_answer():
    caught = "def clamp(numbers, low, high):\n    return numbers.clamp(low, high)"
    verdict = verdict_on(caught)
    assert (verdict.status, verdict.seen[:37]) == ("wrong", "This one is to be written without cla")


def test_code_that_does_not_run():
    verdict = verdict_on("def clamp(\n")
    assert (verdict.status, verdict.says) == ("wrong", "")
    assert verdict.seen.startswith("The file does not run: SyntaxError")


# --- Predict


def predicted(answer, question=7):
    return judge(PREDICT, lint.Answer(plain(answer), question), 0)


def test_answers_to_a_question():
    right, *wrong = answers(PREDICT, numbers_of(PREDICT, 7))
    assert predicted([right[0], " sum "]).status == "passed"
    for index, value in enumerate(wrong):
        assert predicted(value).known == index
    assert predicted(wrong[0]).says == f"({wrong[0][0]}, 'Sum') is minus."
    assert predicted([10**6, "Sum"]).says.endswith("none of the usual slips leads to it.")
    assert predicted(5).seen.endswith("which is a tuple of 2.")
    assert predicted("<ellipsis>").status == "open"


def test_no_question_is_asked_whose_answers_coincide():
    for question in range(1, 60):
        values = answers(PREDICT, numbers_of(PREDICT, question))
        assert len(set(map(repr, values))) == len(values)
    same = dataclasses.replace(PREDICT, wrong=[Wrong(PREDICT.right, "The same.", "一样。")])
    with pytest.raises(RuntimeError, match="0 and 1"):
        numbers_of(same, 1)


# --- Plain values


@pytest.mark.parametrize(
    ("got", "wanted", "found"),
    [
        (1.0, 1.00001, ""),
        (1.0, 1.1, "1 instead of 1.1"),
        (float("nan"), float("nan"), ""),
        (True, 1, "True instead of 1"),
        ("a", "a", ""),
        (None, 0, "None instead of 0"),
        ([1, 2], [1, 2, 3], "[1, 2] instead of [1, 2, 3]"),
        ([1, [2, 3]], [1, [2, 4]], "[1]: [1]: 3 instead of 4"),
        ({"a": 1}, {"a": 2}, "a: 1 instead of 2"),
        (torch.zeros(2, 3), torch.zeros(3, 2), "shape (2, 3) instead of (3, 2)"),
        (torch.tensor([1.0, 2.0]), torch.tensor([1.0, 3.0]), "[1] 2 instead of 3"),
        (torch.tensor([1]), torch.tensor([1.0]), "dtype torch.int64 instead of torch.float32"),
        (torch.tensor([1.0]), torch.tensor([1.0], dtype=torch.float64), ""),
        (torch.tensor([torch.inf]), torch.tensor([torch.inf]), ""),
        (Raised("ValueError", "a"), Raised("ValueError", "b"), ""),
        (Raised("ValueError", "a"), Raised("KeyError", "a"), "ValueError: a instead of KeyError: a"),
        (Raised("ValueError", "a"), 1, "ValueError: a instead of 1"),
    ],
)
def test_difference(got, wanted, found):
    assert difference(got, wanted, 1e-4) == found


def test_what_travels_is_plain():
    endless: list = []
    endless.append(endless)
    value = {"a": (torch.nn.Parameter(torch.ones(2)), 1, True, None, object()), "b": endless}
    back = unpack(pack(plain(value)))
    assert torch.equal(back["a"][0], torch.ones(2)) and not back["a"][0].requires_grad
    assert back["a"][1:] == [1, True, None, "<object>"]
    with pytest.raises(Exception, match=r"[Ww]eights"):
        unpack(pack(object()))


def test_shorten():
    assert shorten((80,)) == "(80,)"
    assert shorten([1.23456789, "x" * 300]) == "[1.23457, " + "x" * 197 + "...]"
    assert shorten(torch.ones(2, 8)) == "tensor(2, 8)"


# --- Grids and curves


def test_grids_stand_side_by_side():
    left, right = grid(torch.tensor([[1.0, -10.0], [2.5, 3.0]])), grid(torch.tensor([7]))
    assert side_by_side([("左", left), ("b", right)]) == "左         b\n  1 -10    7\n2.5   3"
    with pytest.raises(ValueError, match="too large"):
        grid(torch.zeros(15, 2))


def test_curve():
    assert curve([4.0, 2.0, 0.0, float("nan")], height=2) == "4 |█▁  \n0 |██▁x"
    assert max(map(len, curve(range(1000), width=20).splitlines())) <= 20 + len("999 |")


# --- The linter


def complaints(exercise) -> str:
    found = list(lint.lint_words(exercise))
    found += lint.lint_predict(exercise) if isinstance(exercise, Predict) else lint.lint_code(exercise)
    return "\n".join(found)


def changed(index=0, /, **fields):
    wrong = list(CLAMP.wrong)
    wrong[index] = dataclasses.replace(wrong[index], **fields)
    return {"wrong": wrong}


def test_sound_exercises_have_no_complaints():
    assert complaints(CLAMP) == complaints(PREDICT) == ""


@pytest.mark.parametrize(
    ("exercise", "fields", "complaint"),
    [
        (CLAMP, {"hints": WORDS["hints"][:2]}, "only 2 hints"),
        (CLAMP, {"hints": [WORDS["hints"][0]] * 3}, "two hints are the same"),
        (CLAMP, {"task": ("加。", "相加。")}, "task: the first half is not English"),
        (CLAMP, {"title": ("Sums", "Sums")}, "title: the second half is not Chinese"),
        (CLAMP, {"task": ("a" * 101, "相加。")}, "wider than 100"),
        (CLAMP, {"variants": CLAMP.variants[:2]}, "only 2 variants"),
        (CLAMP, {"variants": [*CLAMP.variants, {"> low": "< low"}]}, "variants[3] does not pass"),
        (CLAMP, {"solution": CLAMP.solution.replace("return", "return 0 *")}, "the solution does not pass"),
        (CLAMP, {"start": CLAMP.solution}, "the start is passed"),
        (CLAMP, changed(answer={"numbers > low": "numbers >= low"}), "wrong[0] is passed"),
        (CLAMP, changed(1, answer={"numbers > low": "numbers < 100"}), "wrong[1] is wrong, taken for 0"),
        (CLAMP, changed(answer={"no such text": ""}), "does not stand in the solution"),
        (
            CLAMP,
            {"cases": st.just({"numbers": torch.ones(2), "low": -1.0, "high": 2.0})},
            "one case wanted passes",
        ),
        (PREDICT, {"draw": lambda random: {"a": 3, "b": 5}}, "only 1 different sets"),
        (PREDICT, {"draw": lambda random: {"a": 2, "b": 2}}, "two answers coincide"),
    ],
)
def test_the_linter_complains(exercise, fields, complaint):
    assert complaint in complaints(dataclasses.replace(exercise, **fields))


def test_the_linter_runs_each_kind_of_cheat():
    """A probe that judges by what it can be made to believe is found out."""
    trusting = dataclasses.replace(
        CLAMP, probe=lambda learner, **case: learner.clamp(**case) is None, reference=lambda **case: True
    )
    assert "a file that catches everything passes" in complaints(
        dataclasses.replace(
            trusting,
            start="def clamp(numbers, low, high):\n    raise ValueError",
            solution="def clamp(numbers, low, high):\n    return None",
            variants=[],
            wrong=[],
        )
    )


def test_mend_shows_its_symptom():
    mend = Mend(
        **WORDS,
        learned=("It adds.", "加好了。"),
        start={"total + number": "number"},
        solution="""
            def add(numbers):
                total = 0
                for number in numbers:
                    total = total + number
                return total
            """,
        cases=st.fixed_dictionaries({"numbers": st.lists(st.integers(1, 9), min_size=2)}),
        probe=lambda learner, numbers: {"sum": learner.add(numbers)},
        look=lambda got: f"it is {got['sum']}",
        symptom=("It gives {got[sum]}, not {wanted[sum]}.", "它给出 {got[sum]}。"),
        variants=[],
        wrong=[Wrong("def add(numbers):\n    return 0", "Nothing.", "没有。")],
    )
    verdict = verdict_on(mend.start, mend)
    assert verdict.status == "open"
    assert verdict.picture.startswith("it is ")
    assert verdict.says.startswith("It gives ")
