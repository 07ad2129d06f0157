"""``make bench-dispatch``: how fast campaigns are sent, each figure with its bar.

Every figure is for the product as used: a normal workspace, links and tokens for each reader, the ledger in
SQLite with ``synchronous=FULL`` (or PostgreSQL where stated), a progress bar, and no DKIM signature unless
stated.
"""

import argparse
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from bench.bench_context import BenchContext
from bench.large_audience import measure_large_audience
from bench.launch_cost import measure_launch
from bench.measurement import Measurement, print_table
from bench.newsletters import NewsletterSize
from bench.prepared_campaigns import CampaignFactory
from bench.provider_limits import measure_provider_limits
from bench.relays import NoRelayError, running_sink
from bench.runs import Run
from bench.send_rate import (
    measure_dkim,
    measure_large,
    measure_ordinary,
    measure_postfix,
    measure_slow,
    measure_small,
)
from bench.sign_in_rate import measure_sign_in
from bench.worker_process import FailedRunError
from bench.worker_scaling import measure_worker_scaling

_FIGURES: dict[str, Callable[[BenchContext], Iterator[Measurement]]] = {
    "large": measure_large,
    "small": measure_small,
    "slow": measure_slow,
    "ordinary": measure_ordinary,
    "postfix": measure_postfix,
    "dkim": measure_dkim,
    "sign-in": measure_sign_in,
    "growth": measure_large_audience,
    "providers": measure_provider_limits,
    "machines": measure_worker_scaling,
    "launch": measure_launch,
}
_PROFILED = {NewsletterSize.large: 6_000, NewsletterSize.small: 20_000}
_ABOUT = """\
Ratios are medians over alternating rounds, after one that does not count; times are specific to this machine.
Ours: the call that sends, including opening the database and reading the frozen content, without starting
Python. smtp-source: its whole process, with -d, so its connections stay open, as ours do. It sends one body
of the same length to one reader and keeps no record. Ours keeps a durable ledger.
"""


def main(arguments: Sequence[str] | None = None) -> None:
    options = _read_arguments(arguments)
    with tempfile.TemporaryDirectory(prefix="mailer-bench-", dir=options.dir) as folder:
        ground = BenchContext(
            campaigns=CampaignFactory(Path(folder)),
            rounds=3 if options.quick else options.rounds,
            scale=options.scale,
            full=options.full,
        )
        if options.profile:
            profile(ground, NewsletterSize(options.profile))
            return
        print(_ABOUT)
        # Printed as they are measured: all of them take minutes.
        print_table(figure for name in options.figures or _FIGURES for figure in measure(ground, name))


def measure(context: BenchContext, name: str) -> Iterator[Measurement]:
    """Yield the figures of one measurement; what cannot be measured here is reported as such."""
    try:
        yield from _FIGURES[name](context)
    except (NoRelayError, FailedRunError) as error:
        yield Measurement(what=name, note=f"{error}.")


def profile(context: BenchContext, size: NewsletterSize) -> None:
    """Run once without and once with the profiler, which writes the 25 slowest functions to stderr."""
    campaign = context.prepare(size, _PROFILED[size])
    with running_sink() as port:
        campaign.send(port)
        _print_run(campaign.send(port))
        _print_run(campaign.send(port, profiled=True))


def _print_run(run: Run) -> None:
    print(
        f"{run.messages:,} messages, {run.rate:,.0f}/s, {run.cpu_each:,.0f} µs CPU each, {run.peak:.0f} MB",
        flush=True,
    )


def _read_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.dispatch", description="Measure how fast campaigns are sent."
    )
    parser.add_argument(
        "figures", nargs="*", metavar="FIGURE", help=f"one or more of {', '.join(_FIGURES)} (default: all)"
    )
    parser.add_argument("--rounds", type=int, default=5, help="rounds that count (default: 5)")
    parser.add_argument("--quick", action="store_true", help="run 3 rounds")
    parser.add_argument("--scale", type=float, default=1, help="shorter (0.1) or longer (2) runs")
    parser.add_argument("--full", action="store_true", help="send to all of the million readers")
    parser.add_argument("--profile", choices=list(NewsletterSize), help="profile one run instead")
    parser.add_argument(
        "--dir", type=Path, help="folder for workspaces and queues; the speed of its disk matters"
    )
    options = parser.parse_args(arguments)
    if unknown := set(options.figures) - set(_FIGURES):
        parser.error(f"no such figure: {', '.join(sorted(unknown))}. Choose from {', '.join(_FIGURES)}.")
    return options


if __name__ == "__main__":
    main()
