"""How an encoder is tuned on labels: the options of the commands that do, and the protocol that they ask for."""

from typing import Any

from graphcl.errors import ConfigError, RunError

__all__ = ["add_tuning", "is_bf16", "tuning_protocols"]


def add_tuning(add: Any) -> None:
    """The options of tuning."""
    add("--head-only", action="store_true", help="leave the encoder as it is and tune the head alone")
    add("--epochs", type=int | None, default=None, help="passes over the training part; by default 100")
    add("--batch-size", type=int | None, default=None, help="graphs per step; by default 32, on few labels 128")
    add("--lr", type=float | None, default=None, help="Adam's learning rate; by default 0.001")
    add("--encoder-lr", type=float | None, default=None, help="the encoder's learning rate; by default the head's")
    add("--dropout", type=float | None, default=None, help="of an encoder of molecules; by default 0.5")
    add("--precision", type=str, default="fp32", help="fp32 or bf16")
    add("--root", type=str | None, default=None, help="data folder; by default the run's")
    add("--device", type=str, default="auto", help="auto, cpu, cuda, ...")
    add("--threads", type=int | None, default=None, help="CPU threads; by default as many as torch chooses")


def is_bf16(options: Any) -> bool:
    """Whether the options ask for bfloat16."""
    if options.precision not in ("fp32", "bf16"):
        raise ConfigError(f"expected precision to be fp32 or bf16, got {options.precision!r}")
    return bool(options.precision == "bf16")


def tuning_protocols(options: Any, entry: Any) -> tuple[Any, Any]:
    """The protocol that is asked for, and the same with what the options change."""
    from graphcl.evaluate import molecule_protocol, with_tuning

    ogb = entry.loader == "ogb"
    base = molecule_protocol(options.protocol or ("ogb-finetune" if ogb else "moleculenet-finetune"))
    if base.ogb and not ogb:
        raise RunError(f"expected a set of OGB for {base.name}, got {entry.name}; use moleculenet-finetune")
    numbers = {key: options[key] for key in ("head_only", "epochs", "batch_size", "lr", "encoder_lr", "dropout")}
    return base, with_tuning(base, **numbers)
