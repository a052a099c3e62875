import copy
import heapq
import json
import multiprocessing
import operator
import pickle
import random
from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image
from small_data import FewSketches, cifar10_archive, fill_folder
from torch.utils.data import DataLoader, Dataset, Subset, default_collate, default_convert, random_split
from torch.utils.data._utils.collate import collate, collate_int_fn, default_collate_fn_map
from torchvision.transforms import Compose, ToTensor

from lessons.course.batches import Batch, Pair, WholeBatches
from lessons.course.datasets import CIFAR10, PictureFolder, Sketch10

KINDS = {"Sketch10": FewSketches, "CIFAR10": CIFAR10, "a folder": PictureFolder}


class PictureByPicture(Dataset):
    """A data set as torchvision has them: the DataLoader can ask it for items alone."""

    def __init__(self, data: Dataset) -> None:
        self.data = data

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> tuple:
        return self.data[index]


@pytest.fixture(params=KINDS)
def kind(request, tmp_path, monkeypatch) -> tuple[type, Callable]:
    """(the class of a data set, ``make(it or a subclass, transform=...)``), with a few pictures."""
    if request.param == "Sketch10":
        FewSketches(tmp_path, download=True)
    elif request.param == "CIFAR10":
        (tmp_path / "cifar-10-python.tar.gz").write_bytes(cifar10_archive(monkeypatch))
    else:
        fill_folder(tmp_path)
    options = {"transform": ToTensor()}
    return KINDS[request.param], lambda own, **changes: own(tmp_path, **options | changes)


@pytest.fixture
def few(tmp_path) -> FewSketches:
    return FewSketches(tmp_path, transform=ToTensor(), download=True)


@pytest.fixture
def no_single_item(monkeypatch):
    """Fails where a picture is taken by itself, or a batch is taken apart."""
    monkeypatch.setattr(Image, "fromarray", None)
    monkeypatch.setattr(Batch, "fill", None)


def assert_same(one: object, other: object) -> None:
    """Of one type and value, to the last bit; what is made to pass for a list and a tuple may."""
    passes_for = {Batch: list, Pair: tuple}
    one_type, other_type = (passes_for.get(type(each), type(each)) for each in (one, other))
    assert one_type is other_type
    if isinstance(one, torch.Tensor):
        assert one.dtype == other.dtype and one.shape == other.shape and one.stride() == other.stride()
        assert torch.equal(one, other)
    elif isinstance(one, dict):
        assert one.keys() == other.keys()
        assert_same(list(one.values()), list(other.values()))
    elif isinstance(one, list | tuple):
        assert len(one) == len(other)
        for each, other_each in zip(one, other, strict=True):
            assert_same(each, other_each)
    else:
        assert np.array_equal(one, other)


def assert_same_batches(data: Dataset, num_workers: int = 0, **options: object) -> None:
    """The DataLoader gives the same with the data set as it is, and with its items alone."""
    if num_workers:  # classes that a test defines get into the workers in this way alone
        if "fork" not in multiprocessing.get_all_start_methods():
            pytest.skip("no fork here")
        options |= {"num_workers": num_workers, "multiprocessing_context": "fork"}

    def batches(data):
        shuffle = torch.Generator().manual_seed(0)
        return list(DataLoader(data, batch_size=3, shuffle=True, generator=shuffle, **options))

    assert_same(batches(data), batches(PictureByPicture(data)))


# --- The same numbers


@pytest.mark.parametrize("subset", [False, True])
def test_they_equal_picture_by_picture(home, subset, monkeypatch):
    data = Sketch10(home / "data", train=False, transform=ToTensor(), download=True)
    if subset:
        data = Subset(data, range(999, 0, -7))

    def batches(data):
        shuffle = torch.Generator().manual_seed(0)
        return list(DataLoader(data, batch_size=64, shuffle=True, generator=shuffle))

    expected = batches(PictureByPicture(data))
    monkeypatch.setattr(Image, "fromarray", None)  # otherwise the ordinary path would equal itself
    fast = batches(data)
    assert len(fast) == (3 if subset else 16)
    assert_same(fast, expected)
    assert fast[0][0].dtype == torch.float32 and fast[0][0].is_contiguous()
    assert fast[0][1].dtype == torch.int64


@pytest.mark.parametrize("num_workers", [0, 2])
@pytest.mark.parametrize("subset", [False, True])
def test_they_equal_picture_by_picture_in_each_data_set(kind, num_workers, subset):
    own, make = kind
    data = make(own)
    assert_same_batches(Subset(data, [3, 0, 2, 1, 0]) if subset else data, num_workers)


def test_each_data_set_gives_whole_batches(kind, no_single_item):
    own, make = kind
    (imgs, targets), *_ = DataLoader(make(own), batch_size=4)
    assert imgs.shape == (4, 3, 32, 32) and targets.shape == (4,)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_they_hold_every_value(dtype):
    data = WholeBatches()
    data.transform, data.target_transform = ToTensor(), None
    data.data = np.arange(256, dtype=np.uint8).repeat(12).reshape(1, 32, 32, 3)
    data.targets = [3]
    usual = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        [(img, target)] = data.__getitems__([0])
        expected = ToTensor()(data.data[0])
        assert img.dtype == dtype and torch.equal(img, expected) and target == 3
        assert list(data.__getitems__([])) == []
        assert torch.equal(data.__getitems__([-1])[0][0], expected)
        assert torch.equal(default_collate(data.__getitems__([0]))[0][0], expected)
    finally:
        torch.set_default_dtype(usual)


def test_they_are_handed_on_without_a_copy(few, no_single_item, monkeypatch):
    handed_over = []
    hand_over = Batch.hand_over
    monkeypatch.setattr(
        Batch, "hand_over", lambda batch: handed_over.append(hand_over(batch)) or handed_over[-1]
    )
    batch = few.__getitems__([3, 0, 3])
    for number in range(2):
        imgs, targets = default_collate(batch)
        assert imgs is handed_over[number]
        assert targets.tolist() == [few.targets[index] for index in (3, 0, 3)]


def test_they_show_what_was_changed(few):
    loader = DataLoader(few, batch_size=4)
    next(iter(loader))
    few.data[1], few.targets[1] = 255, 7
    imgs, targets = next(iter(loader))
    assert imgs[1].min() == 1 and targets[1] == 7
    imgs.zero_()  # nor does what becomes of a batch show in the data set
    assert few.data[1].min() == 255


def test_they_hold_the_pictures_of_the_moment(few):
    batch, expected = few.__getitems__([0, 1]), [few[0], few[1]]
    few.data[:] = 0
    assert_same(batch, expected)


PICTURES = {  # what a learner may put in the place of `data`
    "grey": lambda data: data[..., 0],
    "a list": list,
    "mirrored": lambda data: data[:, :, ::-1],
    "cropped": lambda data: data[:, 4:-4, 8:],
    "channels first in memory": lambda data: np.ascontiguousarray(data.transpose(0, 3, 1, 2)).transpose(
        0, 2, 3, 1
    ),
    "channels last in memory": np.ascontiguousarray,
    "with opacity": lambda data: np.concatenate([data, data[..., :1]], axis=-1),
}


@pytest.mark.parametrize("name", PICTURES)
def test_other_pictures_in_the_same_data_set(few, name):
    few.data = PICTURES[name](few.data)
    assert_same_batches(few)


@pytest.mark.parametrize(
    "targets", [np.array, torch.tensor, lambda targets: [f"class {target}" for target in targets]]
)
def test_other_targets_in_the_same_data_set(few, targets):
    few.targets = targets(few.targets)
    assert_same_batches(few)


# --- What is the learner's own


def with_index(own: type) -> type:
    class WithIndex(own):
        def __getitem__(self, index):
            return *super().__getitem__(index), index

    return WithIndex


def black(own: type) -> type:
    class Black(own):
        def __getitem__(self, index):
            img, target = super().__getitem__(index)
            return torch.zeros_like(img), target

    return Black


def mixed_in(own: type) -> type:
    class AsNames:
        def __getitem__(self, index):
            img, target = super().__getitem__(index)
            return img, self.classes[target]

    class Named(AsNames, own):
        pass

    return Named


def below_another(own: type) -> type:
    class Below(with_index(own)):
        pass

    return Below


OWN_ITEMS = {  # what to make of a data set's class: how one batch of it is recognised
    with_index: lambda batch: len(batch) == 3,
    black: lambda batch: batch[0].max() == 0,
    mixed_in: lambda batch: isinstance(batch[1][0], str),
    below_another: lambda batch: len(batch) == 3,
}


@pytest.mark.parametrize("way", ["whole", "Subset", "random_split"])
@pytest.mark.parametrize(
    ("change", "num_workers"),
    [*((change, 0) for change in OWN_ITEMS), (with_index, 2), (black, 2)],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_a_subclass_with_its_own_items(kind, change, way, num_workers):
    own, make = kind
    data = make(change(own))
    if way == "Subset":
        data = Subset(data, [3, 1, 2])
    elif way == "random_split":
        data, _ = random_split(data, [0.75, 0.25], generator=torch.Generator().manual_seed(0))
    for batch in DataLoader(data, batch_size=2):
        assert OWN_ITEMS[change](batch)
    assert_same_batches(data, num_workers)


def test_a_class_whose_items_are_changed_later(few, monkeypatch):
    monkeypatch.setattr(FewSketches, "__getitem__", lambda data, index: index)
    assert torch.cat(list(DataLoader(few, batch_size=8))).tolist() == list(range(50))


class Darker(ToTensor):
    def __call__(self, picture):
        return super().__call__(picture) / 2


def one_more(target: int) -> int:
    return target + 1


@pytest.mark.parametrize("num_workers", [0, 2])
@pytest.mark.parametrize("subset", [False, True])
@pytest.mark.parametrize(
    "changes",
    [
        {"transform": Darker()},
        {"transform": Compose([ToTensor(), torch.neg])},
        {"target_transform": one_more},
    ],
    ids=["a subclass of ToTensor", "Compose", "target_transform"],
)
def test_other_transforms(kind, changes, subset, num_workers):
    own, make = kind
    data = make(own, **changes)
    usual, target = make(own)[3]
    [(img, own_target)] = data.__getitems__([3])
    assert not torch.equal(img, usual) or own_target == target + 1
    assert_same_batches(Subset(data, [3, 1, 2]) if subset else data, num_workers)


def test_a_transform_that_is_set_later(few):
    (imgs, _), *_ = DataLoader(few, batch_size=4)
    few.transform = Darker()
    (darker, _), *_ = DataLoader(few, batch_size=4)
    assert torch.equal(darker, imgs / 2)
    few.transform, few.target_transform = ToTensor(), str
    (_, targets), *_ = DataLoader(few, batch_size=4)
    assert targets == tuple(str(target) for target in few.targets[:4])
    few.transform = few.target_transform = None
    assert isinstance(few.__getitems__([3])[0][0], Image.Image)


# --- The switch


@pytest.mark.parametrize("place", ["the data set", "its class", "a subclass", "a Subset's data set"])
def test_the_switch(kind, place, monkeypatch):
    own, make = kind
    data = make(own)
    expected = list(DataLoader(data, batch_size=3))
    loader = DataLoader(data, batch_size=3)
    if place == "the data set":
        data.whole_batches = False
    elif place == "its class":
        monkeypatch.setattr(own, "whole_batches", False)
    elif place == "a subclass":
        loader = DataLoader(make(type("Plain", (own,), {"whole_batches": False})), batch_size=3)
    else:
        data.whole_batches = False
        loader = DataLoader(Subset(data, range(len(data))), batch_size=3)
    single = []
    to_tensor = ToTensor.__call__
    monkeypatch.setattr(
        ToTensor, "__call__", lambda self, picture: single.append(1) or to_tensor(self, picture)
    )
    assert_same(list(loader), expected)
    assert len(single) == len(data)
    assert type(loader.dataset.__getitems__([0, 1])) is list


# --- A batch is a list: each of these gets the batch, or an ordinary list of the same pairs


def mixup(batch):
    (imgs, targets), (other_imgs, other_targets) = default_collate(batch), default_collate(batch[::-1])
    return imgs.mul_(0.3).add_(other_imgs, alpha=0.7), targets, other_targets


def mixup_in_place(batch):
    imgs, targets = default_collate(batch)
    imgs.mul_(0.3)  # before the batch is looked at again
    random.Random(0).shuffle(batch)
    other_imgs, other_targets = default_collate(batch)
    return imgs.add_(other_imgs, alpha=0.7), targets, other_targets


def changed(*changes: Callable) -> Callable:
    """A collate_fn that lets each of these change the batch, and then joins it."""

    def collate_fn(batch):
        for change in changes:
            change(batch)
        return default_collate(batch), batch

    return collate_fn


def change_each_image(batch):
    for img, _ in batch:
        img.mul_(0.5)[:, :16] = 0
    return default_collate(batch)


def turn_each_image(batch):
    for img, _ in batch:
        img.transpose_(1, 2).unsqueeze_(0)
    return default_collate(batch)


def change_the_first_image(batch):
    img, _ = batch[0]
    img.transpose_(1, 2)
    return default_collate(batch)


def grow_an_image(batch):
    batch[0][0].resize_(3, 64, 64).zero_()
    batch[2][0].resize_(3, 64, 64).zero_()
    return [pair for index, pair in enumerate(batch) if index not in (0, 2)]


def change_what_was_joined(batch):
    imgs, targets = default_collate(batch)
    imgs.zero_()
    again, _ = default_collate(batch)
    again.add_(1)
    return imgs, again, targets, list(batch)


def keep_one(batch):
    img, _ = batch[1]
    return img.untyped_storage().nbytes(), img.is_contiguous(), img.storage_offset()


def unpack(batch):
    first, *others = batch
    match batch:
        case [(img, target), *_]:
            return first, others, img, target


def extend_with_own_pairs(batch):
    batch.extend([(torch.ones(3, 32, 32), 7)] * 2)
    batch += [(torch.zeros(3, 32, 32), 8)]
    return default_collate(batch)


def sum_of_tensors(batch, *, collate_fn_map=None):
    return torch.stack(batch).sum()


def join_in_another_way(batch):
    own = {**default_collate_fn_map, torch.Tensor: sum_of_tensors}
    return collate(batch, collate_fn_map=own), collate(
        batch, collate_fn_map={torch.Tensor: sum_of_tensors, int: collate_int_fn}
    )


def as_json(batch):
    return json.dumps(batch, default=lambda img: img.sum().item())


def by_target(pair):
    return pair[1]


COLLATE_FNS = {
    "default": default_collate,
    "twice": lambda batch: (default_collate(batch), default_collate(batch)),
    "is a list": lambda batch: (isinstance(batch, list), all(isinstance(pair, tuple) for pair in batch)),
    "is a list, the first": lambda batch: (isinstance(batch[0], tuple), batch[0] is batch[0], len(batch[0])),
    "first, then joined": lambda batch: (batch[0][1], default_collate(batch)),
    "length": lambda batch: (len(batch), bool(batch)),
    "loop": lambda batch: [(img.sum(), target) for img, target in batch],
    "zip": lambda batch: list(zip(*batch, strict=True)),
    "every second": lambda batch: batch[::2],
    "slices joined": lambda batch: (default_collate(batch[1:3]), default_collate(batch[:1]), batch[-1]),
    "reversed": lambda batch: (list(reversed(batch)), default_collate(batch[::-1])),
    "filtered": lambda batch: default_collate([pair for pair in batch if pair[1] % 2]),
    "nested": lambda batch: default_collate([{"pair": pair, "more": (pair, 1)} for pair in batch]),
    "sorted": lambda batch: default_collate(sorted(batch, key=by_target)),
    "sum": lambda batch: batch + batch[:2],
    "sum with another": lambda batch: [1] + batch,  # noqa: RUF005
    "sum of many": lambda batch: sum([batch, batch], []),  # noqa: RUF017
    "times": lambda batch: 2 * batch,
    "times, the other way round": lambda batch: batch * 2,
    "put into another": lambda batch: [
        others := [1, 2],
        others.__setitem__(slice(1), batch),
    ],
    "added to another": lambda batch: [others := [1, 2], others.extend(batch)],
    "found": lambda batch: (batch.index(batch[0]), batch[0] in batch),
    "equal": lambda batch: ([] == batch, batch == list(batch), list(batch) == batch),  # noqa: SIM300
    "larger": lambda batch: ([] < batch, batch > []),  # noqa: SIM300
    "printed": lambda batch: (repr(batch), f"{batch}"),
    "largest": lambda batch: heapq.nlargest(2, batch, key=by_target),
    "chosen": lambda batch: (random.Random(0).sample(batch, 3), operator.itemgetter(0, 3)(batch)),
    "copied": lambda batch: (copy.copy(batch), batch.copy(), copy.deepcopy(batch)),
    "pickled": lambda batch: pickle.loads(pickle.dumps(batch)),
    "converted": default_convert,
    "indexed by a tensor": lambda batch: batch[torch.tensor(0)],
    "as an array": lambda batch: np.array([target for _, target in batch]),
    "as itself": lambda batch: batch,
    "in order": changed(lambda batch: batch.sort(key=by_target)),
    "back to front": changed(lambda batch: batch.reverse()),
    "first, then back to front": changed(lambda batch: batch[0], lambda batch: batch.reverse()),
    "shuffled": changed(lambda batch: random.Random(0).shuffle(batch)),
    "without some": changed(
        lambda batch: batch.pop(), lambda batch: batch.pop(0), lambda batch: batch.__delitem__(1)
    ),
    "without one": changed(lambda batch: batch.remove(batch[0])),
    "with one more": changed(lambda batch: batch.append(batch[0]), lambda batch: batch.insert(1, batch[3])),
    "with some more": changed(lambda batch: batch.extend(batch[:2])),
    "with another": changed(lambda batch: batch.__setitem__(2, batch[0])),
    "with itself": changed(lambda batch: batch.extend(batch)),
    "halved": changed(lambda batch: batch.__setitem__(slice(None), batch[::2])),
    "times two": changed(lambda batch: batch.__imul__(2)),
    "made anew": changed(lambda batch: batch.clear(), lambda batch: batch.append((torch.ones(1), 1))),
    **{
        collate_fn.__name__: collate_fn
        for collate_fn in (
            mixup,
            mixup_in_place,
            change_each_image,
            turn_each_image,
            change_the_first_image,
            grow_an_image,
            change_what_was_joined,
            keep_one,
            unpack,
            extend_with_own_pairs,
            join_in_another_way,
            as_json,
        )
    },
}


@pytest.mark.parametrize("name", COLLATE_FNS)
def test_a_collate_fn_may_do_what_it_may_do_with_a_list(few, name):
    plain = Subset(few, range(7, 19))
    few.whole_batches = False
    random_state = random.getstate()
    expected = list(DataLoader(plain, batch_size=6, collate_fn=COLLATE_FNS[name]))
    few.whole_batches = True
    random.setstate(random_state)
    assert type(few.__getitems__([0])) is Batch
    assert_same(list(DataLoader(plain, batch_size=6, collate_fn=COLLATE_FNS[name])), expected)


def test_each_method_of_a_list_fills_it_first(few):
    """Those of a later Python too: none may see a list that is still empty."""
    unfilled = {name for name, method in vars(list).items() if callable(method)} - {
        "__new__",
        "__init__",
        "__getattribute__",
        "__class_getitem__",
        "__getitem__",  # the first pair is made by itself
    }
    for name in unfilled:
        batch = few.__getitems__([0, 1])
        try:
            getattr(batch, name)()
        except (TypeError, RuntimeError):  # it takes arguments; two pictures have no order
            left = 2
        else:
            left = {"pop": 1, "clear": 0}.get(name, 2)
        assert list.__len__(batch) == left, name


@pytest.mark.parametrize("num_workers", [1, 2])
@pytest.mark.parametrize("name", ["default", "as itself", "reversed", "change_each_image", "mixup"])
def test_a_collate_fn_in_workers(few, name, num_workers):
    assert_same_batches(few, num_workers, collate_fn=COLLATE_FNS[name])


def in_reverse(batch):
    return default_collate(list(batch)[::-1])


def test_a_batch_sampler_may_give_tuples_and_tensors(few):
    samplers = ([(1, 0), (2,)], [torch.tensor([1, 0]), torch.tensor([2])])
    for sampler, num_workers in zip(samplers, (1, 0), strict=True):
        loader = DataLoader(few, batch_sampler=sampler, collate_fn=in_reverse, num_workers=num_workers)
        (imgs, targets), _ = loader
        assert torch.equal(imgs, torch.stack([few[0][0], few[1][0]]))
        assert targets.tolist() == few.targets[:2]
