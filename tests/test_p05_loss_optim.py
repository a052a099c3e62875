import math

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from lessons import p05_loss_optim
from lessons.course import CourseError
from lessons.p05_loss_optim import evaluate, losses_by_hand, train_step
from lessons.tudui import Tudui


def test_losses_on_paper():
    losses = losses_by_hand()
    assert losses["L1Loss"] == pytest.approx((0 + 0 + 2) / 3)
    assert losses["MSELoss"] == pytest.approx((0 + 0 + 2**2) / 3)
    assert losses["CrossEntropyLoss"] == pytest.approx(
        -0.2 + math.log(math.exp(0.1) + math.exp(0.2) + math.exp(0.3))
    )


def test_train_step_moves_each_weight_by_lr_times_gradient():
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, 2.0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    # loss = (2*3 - 0)^2 = 36, its gradient 2 * (2*3) * 3 = 36, the new weight 2 - 0.1 * 36 = -1.6
    for _ in range(2):
        nn.init.constant_(model.weight, 2.0)
        loss = train_step(model, torch.tensor([[3.0]]), torch.tensor([[0.0]]), nn.MSELoss(), optimizer)
        assert loss.item() == 36
        assert model.weight.item() == pytest.approx(
            2 - 0.1 * 36
        )  # the second time too: gradients were zeroed
    assert not loss.requires_grad  # no graph is kept alive


def test_evaluate_weights_batches_by_their_size():
    model = nn.Identity()
    scores = torch.tensor([[4.0, 0.0], [4.0, 0.0], [0.0, 4.0]])
    targets = torch.tensor([0, 0, 0])
    right, wrong = math.log(1 + math.exp(-4)), math.log(1 + math.exp(4))
    loader = DataLoader(TensorDataset(scores, targets), batch_size=2)  # batches of 2 and of 1
    loss, accuracy = evaluate(model, loader, nn.CrossEntropyLoss())
    assert loss == pytest.approx((right + right + wrong) / 3, rel=1e-5)
    assert accuracy == pytest.approx(2 / 3)
    assert model.training


def test_lesson_learns(small_pictures, events):
    def learn(epochs, seed=0):
        return p05_loss_optim.main(str(small_pictures), epochs, batch_size=10, learning_rate=0.02, seed=seed)

    seen = learn(epochs=6)
    history = seen["history"]
    assert history[0]["train_loss"] == pytest.approx(math.log(10), abs=0.1)  # at first it guesses among ten
    assert history[-1]["train_loss"] < history[0]["train_loss"] - 0.2
    assert history[-1]["accuracy"] > 0.2

    log = events(seen["run"])
    # one tag is one chart, and a sub-run each is a curve each
    assert log.Tags()["scalars"] == []
    curves = {"train": {"loss": "train_loss"}, "test": {"loss": "test_loss", "accuracy": "accuracy"}}
    for curve, charts in curves.items():
        of_curve = events(seen["run"] / curve)
        assert sorted(of_curve.Tags()["scalars"]) == sorted(charts)
        for tag, figure in charts.items():
            logged = [event.value for event in of_curve.Scalars(tag)]
            assert logged == pytest.approx([epoch[figure] for epoch in history], rel=1e-5)
    names = [name for name, _ in Tudui().named_parameters()]
    assert sorted(log.Tags()["histograms"]) == sorted(names)
    assert len(log.Histograms("model1.0.weight")) == 6

    assert learn(epochs=1)["history"][0] == history[0]  # the same seed, the same numbers
    assert learn(epochs=1, seed=1)["history"][0] != history[0]


def test_a_training_that_diverges_says_what_to_do(small_pictures):
    with pytest.raises(CourseError, match=r"become nan: .*--learning-rate 10$"):
        p05_loss_optim.main(str(small_pictures), epochs=1, batch_size=10, learning_rate=100)


def test_softmax_before_cross_entropy_has_a_floor():
    # a perfect answer after softmax is 1 for the right class and 0 for nine others
    perfect = nn.functional.one_hot(torch.arange(10), 10).float()
    floor = nn.CrossEntropyLoss()(perfect, torch.arange(10)).item()
    assert floor == pytest.approx(math.log(math.e + 9) - 1, rel=1e-5)
    assert round(floor, 3) == 1.461
