"""5. Loss and optimizer: the network learns

A loss says in one number how wrong the network is. Backpropagation says how each weight moves that number,
and the optimizer takes a small step downhill. You check three losses by hand, then run the five lines that
all of deep learning is made of: outputs, loss, zero_grad, backward, step.

You will see: loss and accuracy over 20 epochs in SCALARS, and the weights spreading out in HISTOGRAMS.
"""

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchvision.transforms import ToTensor

from lessons.course import DATASET
from lessons.course.datasets import open_dataset
from lessons.course.divergence import stop_if_diverged
from lessons.course.logbook import RunWriter
from lessons.course.options import command_line
from lessons.course.progress import track
from lessons.tudui import Tudui


def losses_by_hand() -> dict[str, float]:
    """Three losses on numbers small enough to check on paper."""
    outputs = torch.tensor([1.0, 2.0, 3.0])
    targets = torch.tensor([1.0, 2.0, 5.0])
    l1 = nn.L1Loss()(outputs, targets)  #   (0 + 0 + 2) / 3   = 0.667
    mse = nn.MSELoss()(outputs, targets)  # (0 + 0 + 2*2) / 3 = 1.333

    # CrossEntropyLoss is for classes: a batch of scores (N, classes) against the right class's number (N,)
    scores = torch.tensor([[0.1, 0.2, 0.3]])  # (1, 3)
    target = torch.tensor([1])  # (1,)
    cross_entropy = nn.CrossEntropyLoss()(scores, target)  # -0.2 + log(e^0.1 + e^0.2 + e^0.3) = 1.102
    return {"L1Loss": l1.item(), "MSELoss": mse.item(), "CrossEntropyLoss": cross_entropy.item()}


def train_step(
    model: nn.Module, imgs: Tensor, targets: Tensor, loss_fn: nn.Module, optimizer: torch.optim.Optimizer
) -> Tensor:
    """One step downhill on one batch, (N, 3, 32, 32) and (N,). Returns its mean loss, a scalar."""
    outputs = model(imgs)  #           (N, 3, 32, 32) -> (N, 10), one score a class
    loss = loss_fn(outputs, targets)  # (N, 10), (N,) -> one number
    optimizer.zero_grad()  #           forget the last batch's gradients; backward would add to them
    loss.backward()  #                 how does each weight move the loss? Fills parameter.grad
    optimizer.step()  #                each weight moves a little against its gradient: weight -= lr * grad
    return loss.detach()  #            the number without the graph behind it, which would keep memory


@torch.no_grad()  # only looking: no graph is built, so this is faster and keeps no memory
def evaluate(model: nn.Module, dataloader: DataLoader, loss_fn: nn.Module) -> tuple[float, float]:
    """Mean loss per picture and accuracy (0 to 1) over all batches."""
    model.eval()
    total_loss, correct = 0.0, 0
    for imgs, targets in dataloader:
        outputs = model(imgs)  # (N, 10)
        mean_loss = loss_fn(outputs, targets).item()
        total_loss += mean_loss * len(imgs)  # a mean times N: the last batch may be smaller
        correct += (outputs.argmax(dim=1) == targets).sum().item()  # the class with the highest score
    model.train()
    pictures = len(dataloader.dataset)
    return total_loss / pictures, correct / pictures


def main(
    dataset: str = DATASET,
    epochs: int = 20,
    batch_size: int = 64,
    learning_rate: float = 0.01,
    seed: int = 0,
) -> dict:
    by_hand = losses_by_hand()
    print("by hand:", ", ".join(f"{name} {value:.3f}" for name, value in by_hand.items()))

    torch.manual_seed(seed)  # fixes the first weights and the order of the pictures
    train_data = open_dataset(dataset, train=True, transform=ToTensor())
    test_data = open_dataset(dataset, train=False, transform=ToTensor())
    train_loader = DataLoader(train_data, batch_size=batch_size, shuffle=True)
    test_loader = DataLoader(test_data, batch_size=250)  # no gradients to keep, so there is room for more

    tudui = Tudui(num_classes=len(train_data.classes))
    loss_fn = nn.CrossEntropyLoss()  # takes the scores as they are: no softmax before it
    optimizer = torch.optim.SGD(tudui.parameters(), lr=learning_rate)

    history, figures = [], "training"
    settings = {"seed": seed, "epochs": epochs, "batch_size": batch_size, "learning_rate": learning_rate}
    with RunWriter(__file__, train_data, test_data, **settings) as writer:
        for epoch in range(1, epochs + 1):
            total_loss = 0.0
            for imgs, targets in track(train_loader, figures):
                loss = train_step(tudui, imgs, targets, loss_fn, optimizer)
                total_loss += loss.item() * len(imgs)
            train_loss = total_loss / len(train_data)
            test_loss, accuracy = evaluate(tudui, test_loader, loss_fn)
            stop_if_diverged(learning_rate, tudui, train=train_loss, test=test_loss)

            figures = f"loss {train_loss:.3f}  test loss {test_loss:.3f}  accuracy {accuracy:.1%}"
            print(f"epoch {epoch:>2}  {figures}")
            history.append({"train_loss": train_loss, "test_loss": test_loss, "accuracy": accuracy})
            # A tag is a chart, and each name in the braces a curve in it: what is compared shares its axes
            writer.add_scalars("loss", {"train": train_loss, "test": test_loss}, epoch)
            writer.add_scalars("accuracy", {"test": accuracy}, epoch)
            for name, parameter in tudui.named_parameters():
                writer.add_histogram(name, parameter, epoch, max_bins=64)
        writer.result = f"test accuracy {accuracy:.1%}"

    return {"run": writer.folder, "by_hand": by_hand, "history": history, "model": tudui}


if __name__ == "__main__":
    command_line(main)
