"""Options of ``apical train`` and the settings that they stand for."""

from __future__ import annotations

import argparse
from dataclasses import fields

from ..golden.errors import MisuseError
from .common import argument, number, parse_layers, whole_number
from .train_report import TEMPERATURES

#: Options that are settings of a run, by field.
SETTINGS = ("epochs", "batch", "rates", "decay", "beta_shift", "steps", "nudge_steps", "sweeps",
            "flips", "flip", "hidden_bias", "seed", "schedule", "weight_decay", "image_shift",
            "image_noise", "average")
#: Options that only raw integers have.
NUMBERS = ("state", "weight", "update_frac")


def parse_rates(text):
    """Learning rates of a text such as ``0.2,0.1``: one, or one a layer of weights."""
    rates = []
    for part in text.split(","):
        try:
            rates.append(number(part))
        except MisuseError as error:
            raise MisuseError(f"rate '{part}' of '{text}' is not a number; "
                              "write rates as 0.2,0.1") from error
    return tuple(rates)


def parse_beta(text):
    """Shift n of a strength of the nudge, ``2**-n``, such as ``0.5``.

    Raises
    ------
    MisuseError
        For 0 and everything else that is no power of two from 1 to 2**-15.
    """
    try:
        shift = {2.0 ** -n: n for n in range(16)}.get(number(text))
    except MisuseError as error:
        raise MisuseError(f"beta '{text}' is not a number; write it as 0.5") from error
    if shift is None:
        why = "the contrast is divided by it" if float(text) == 0 else "steps are shifts"
        raise MisuseError(f"beta is {text}; {why}, so give 1, 0.5, 0.25 or another power of two "
                          "down to 2**-15")
    return shift


def add_arguments(parser):
    """Declare the options of training, but those of devices."""
    from ..golden.numbers.formats import Format
    from ..golden.systems.registry import trainer_names

    whole = argument(whole_number)
    tuned = "(default: tuned for the data)"
    parser.add_argument("--data", metavar="NAME", default="digits",
                        help="digits, mnist or fashion-mnist")
    parser.add_argument("--data-folder", metavar="FOLDER",
                        help="folder of downloaded data (default: the one APICAL_DATA names)")
    parser.add_argument("--layers", metavar="A-B-..-Z", type=argument(parse_layers),
                        help="units of each layer (default: those of the rule for the data)")
    parser.add_argument("--rule", "--system", default="ep", metavar="NAME",
                        help=f"what learns: {', '.join(trainer_names())}; or package.module:NAME, "
                        "a system of another package")
    parser.add_argument("--mode", metavar="NAME",
                        help="variant of a rule: --rule ghost --mode online is --rule ghost-online "
                        "(ghost: duplicate, learned, online, random-feedback, learned-feedback)")
    parser.add_argument("--executor", choices=("float", "fixed"), default="float",
                        help="float: real numbers, batches; fixed: raw integers, image by image, "
                             "bit for bit what an engine does (default: float)")
    parser.add_argument("--seed", metavar="N", type=whole, default=0,
                        help="of starting weights, order of images and signs of the nudge")
    parser.add_argument("--epochs", metavar="N", type=whole, help=f"{tuned}")
    parser.add_argument("--batch", metavar="N", type=whole,
                        help=f"images of a batch {tuned}")
    parser.add_argument("--rates", metavar="R,R,..", type=argument(parse_rates),
                        help=f"learning rate of each layer of weights {tuned}")
    parser.add_argument("--decay", metavar="F", type=argument(number),
                        help=f"factor on the rates after each epoch {tuned}")
    parser.add_argument("--beta-shift", metavar="N", type=whole,
                        help=f"strength of the nudge, 2**-N {tuned}")
    parser.add_argument("--beta", dest="beta_shift", metavar="B", type=argument(parse_beta),
                        help="the same as a number: 1, 0.5, 0.25, ..; its sign is drawn for each "
                        "batch")
    parser.add_argument("--steps", metavar="N", type=whole,
                        help=f"relaxation steps of the free phase {tuned}")
    parser.add_argument("--nudge-steps", metavar="N", type=whole,
                        help=f"relaxation steps of the nudged phase {tuned}")
    parser.add_argument("--hidden-bias", metavar="B", type=argument(number),
                        help=f"first bias of hidden units {tuned}")
    parser.add_argument("--schedule", choices=("exponential", "linear", "cosine"),
                        help="course of the rates: by --decay, or to 0 over the epochs "
                        "(default: exponential)")
    parser.add_argument("--weight-decay", metavar="F", type=argument(number),
                        help="share that weights lose after each batch, times the present share of "
                        "the rates; floating point only (default: 0)")
    parser.add_argument("--image-shift", metavar="N", type=whole,
                        help=f"training images move by up to N pixels each way {tuned}")
    parser.add_argument("--image-noise", metavar="F", type=argument(number),
                        help=f"standard deviation of noise on training pixels {tuned}")
    parser.add_argument("--average", metavar="N", type=whole,
                        help="final weights are the mean of those after the last N epochs; "
                        "floating point only (default: 0)")
    parser.add_argument("--hold-out", metavar="N", type=whole, default=0,
                        help="for choosing settings: learn without the last N training images, "
                        "and measure on them instead of the test images")
    parser.add_argument("--lateral", action="store_true", default=None,
                        help="couplings inside hidden layers (rule flow)")
    parser.add_argument("--flips", metavar="SET",
                        help="whose flips count, visible or all (rule flow-one-flip; default: "
                        "visible for one hidden layer, else all)")
    parser.add_argument("--flip", metavar="P", type=argument(number),
                        help=f"probability that a state flips where learning starts (rule flow) "
                        f"{tuned}")
    parser.add_argument("--sweeps", metavar="N", type=whole,
                        help="Gibbs sweeps of the hidden units (rule flow; default: 2)")
    parser.add_argument("--temperatures", metavar="N", type=whole,
                        help="of the log-likelihood of a Boltzmann machine (of more hidden layers: "
                        f"a lower bound), 0 for none (default: {TEMPERATURES}; raw integers: 0)")
    parser.add_argument("--state", metavar="FORMAT", type=argument(Format.parse),
                        help="fixed: number format of states (default: s16.12)")
    parser.add_argument("--weight", metavar="FORMAT", type=argument(Format.parse),
                        help="fixed: number format of weights (default: s16.12, of labelled images "
                             "larger than digits s16.14)")
    parser.add_argument("--update-frac", metavar="N", type=whole,
                        help="fixed: fraction bits of a weight's last place that updates keep "
                             "(default: 18 less the fraction bits of weights, for 16-bit states; 4 "
                             "for weights of 8 bits)")
    parser.add_argument("--save", metavar="MODEL.npz", help="write the trained model")
    parser.add_argument("--json", metavar="FILE", help="write the result as JSON")
    parser.add_argument("--checkpoint", metavar="FILE", help="write the state after every epoch")
    parser.add_argument("--resume", metavar="FILE", nargs="?", const="",
                        help="go on from a checkpoint, to the weights of an unbroken run; without "
                        "a name from that of --checkpoint, or from the start if there is none yet")
    parser.add_argument("--quiet", action=argparse.BooleanOptionalAction, default=None,
                        help="no progress (default: progress where stderr is a terminal)")


def chosen_system(args):
    """The system that ``--rule`` names, or its variant of ``--mode`` or ``--lateral``."""
    from ..golden.systems.registry import system, trainer

    found = trainer(args.rule)
    if args.mode is not None:
        found = _variant(args.rule, args.mode)
    if not args.lateral:
        return found
    if found.rule != "flow":
        raise MisuseError(f"option --lateral belongs to the rule flow, not to {args.rule}")
    flipped = "-flipped" if found.name.startswith("flow-flipped") else ""
    return system(f"flow{flipped}-dbm-lateral")


def _variant(rule, mode):
    """The system ``rule-mode``."""
    from ..golden.systems.registry import system, trainer_names

    modes = [name.removeprefix(f"{rule}-") for name in trainer_names()
             if name.startswith(f"{rule}-")]
    if mode not in modes:
        known = f"its modes: {', '.join(modes)}" if modes else "leave --mode out"
        raise MisuseError(f"rule {rule} has no mode '{mode}'; {known}")
    return system(f"{rule}-{mode}")


def changes(args, system, executor) -> dict:
    """Settings that the options change.

    Raises
    ------
    MisuseError
        For options that the system, or the executor, does not have.
    """
    if executor == "float":
        for name in NUMBERS:
            if getattr(args, name) is not None:
                raise MisuseError(f"--{name.replace('_', '-')} needs --executor fixed")
    found = {name: getattr(args, name) for name in SETTINGS + NUMBERS
             if getattr(args, name) is not None}
    known = {f.name for f in fields(system.settings.fixed)}
    if "rates" in found and "rates" not in known:
        if len(found["rates"]) != 1:
            raise MisuseError(f"rule {args.rule} has one learning rate, "
                              f"{len(found['rates'])} are given")
        found["rate"] = found.pop("rates")[0]
    for name in found:
        if name not in known:
            raise MisuseError(f"option --{name.replace('_', '-')} belongs to the rules "
                              f"{_owners(name)}, not to {args.rule}")
    if args.temperatures is not None and not system.data.levels:
        raise MisuseError(f"option --temperatures belongs to the rules {_owners('sweeps')}, not to "
                          f"{args.rule}")
    return found


def _owners(name):
    """The rules whose settings have a field."""
    from ..golden.systems.registry import systems

    rules = {record.rule for record in systems().values()
             if record.learns and name in {f.name for f in fields(record.settings)}}
    return " and ".join(sorted(rules)) if len(rules) < 3 else ", ".join(sorted(rules))
