"""What this machine can do."""

import torch

from lessons.course import CourseError


def has_bf16(device: torch.device | str = "cpu") -> bool:
    """Whether the device has instructions for bfloat16; a CPU without them is ten times slower with it."""
    kind = torch.device(device).type
    if kind == "cpu":
        capabilities: dict[str, bool] = getattr(
            torch.cpu, "get_capabilities", dict
        )()  # an older PyTorch does not say
        return any(capabilities.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))
    return kind != "cuda" or torch.cuda.is_bf16_supported(including_emulation=False)


def usable_device(name: str) -> torch.device:
    """The device of that name; CourseError when it can't hold a tensor, which its name alone does not say."""
    try:
        tensor = torch.zeros(1, device=name)
        tensor.item()  # on the meta device there is no number
        return tensor.device
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise CourseError(f"cannot compute on {name!r} ({reason}): leave out --device") from error


def why_not_compiled(device: torch.device) -> str | None:
    """Why ``torch.compile`` can't work for a device, such as a missing C++ compiler; None when it can."""
    try:
        torch.compile(torch.sin)(torch.ones(8, device=device))
    except (
        Exception
    ) as error:  # the compiler below is a program of its own, and anything may be amiss with it
        return str(error).strip().partition("\n")[0]
    return None
