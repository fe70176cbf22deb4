#!/usr/bin/env python3
"""Federated against pooled and local-only training on the hippocampus, and robust strategies against a sign-flipper.

Experiment `pooled`: three sites with different contrast curves, blur and noise.  Every row takes the same number of
optimizer steps in all (local-only: each site its own share).  Figures are mean foreground Dice of whole held-out cases
that nobody trained on.

Experiment `attack`: five sites, one of which sends the opposite of what it learned.  Krum needs 2 f + 3 = 5 sites.

Only the real programs are run; the attacker is tests/bench/sign_flip_trainer.py between a client and its trainer.

    tests/bench/federated_hippocampus.py --bin build/release/bin --output /tmp/federated-hippocampus
"""
import argparse
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

ATTACKER = "e"
ATTACKS = [  # name, strategy, is there an attacker
    ("fedavg, nobody attacks", {"name": "fedavg"}, False),
    ("fedavg", {"name": "fedavg"}, True),
    ("median", {"name": "median"}, True),
    ("trimmed mean", {"name": "trimmed_mean", "trim": 0.2}, True),
    ("krum", {"name": "krum", "byzantine": 1}, True),
]


class Bench:
    def __init__(self, options):
        self.options = options
        self.bin = pathlib.Path(options.bin).resolve()
        self.root = pathlib.Path(options.output).resolve()
        self.root.mkdir(parents=True, exist_ok=True)

    def run(self, program, *arguments, log):
        with open(self.root / log, "w") as out:
            command = [str(self.bin / program), *map(str, arguments)]
            code = subprocess.run(command, stdout=out, stderr=subprocess.STDOUT).returncode
        if code != 0:
            sys.exit(f"{' '.join(command)} ended with {code}; see {self.root / log}")

    def job(self, name, patch, federation=None):
        o = self.options
        job = {
            "name": name,
            "data": {"dataset": self.dataset, "configuration": "3d_fullres", "fold": 0},
            "model": {"architecture": "plain_unet", "patch_size": patch, "base_features": o.width},
            "train": {"epochs": o.rounds, "iterations": o.iterations, "validation_iterations": 0, "batch_size": 2,
                      "seed": 1, "threads": 1, "learning_rate": o.learning_rate, "momentum": 0.9},
        }
        if federation is not None:
            job["federation"] = federation
        path = self.root / f"{name}.yaml"
        path.write_text(json.dumps(job, indent=1))
        return path

    def split(self):
        """Three hospitals; returns {site: folder with the data set and heldout/}."""
        hospitals = self.root / "hospitals"
        if not hospitals.exists():
            self.run("consilium-trainer", "demo-data", "--source", self.options.source, "--output", hospitals,
                     "--training-cases", self.options.training_cases, "--heldout-cases", self.options.heldout_cases,
                     log="demo-data.log")
        made = json.loads((hospitals / "sites.json").read_text())
        self.dataset, self.patch = made["dataset"], made["suggested_patch_size"]
        return {site["name"]: hospitals / site["name"] for site in made["sites"]}

    def gather(self, name, parts):
        """A data set of links to the training cases in `parts`: [(folder of a data set, case ids or None)]."""
        target = self.root / name / self.dataset
        if target.exists():
            return target.parent
        count = 0
        for source, ids in parts:
            description = json.loads((source / "dataset.json").read_text())
            ending = description["file_ending"]
            for label in sorted((source / "labelsTr").iterdir()):
                case = label.name[:-len(ending)]
                if ids is not None and case not in ids:
                    continue
                count += 1
                for kind, file in [("labelsTr", label)] + [
                        ("imagesTr", image) for image in (source / "imagesTr").glob(case + "_????" + ending)]:
                    (target / kind).mkdir(parents=True, exist_ok=True)
                    os.link(file, target / kind / file.name)
        description["numTraining"] = count
        (target / "dataset.json").write_text(json.dumps(description))
        return target.parent

    def cases(self, folder):
        source = folder / self.dataset
        ending = json.loads((source / "dataset.json").read_text())["file_ending"]
        return sorted(label.name[:-len(ending)] for label in (source / "labelsTr").iterdir())

    def train(self, name, data, rounds=None):
        run = self.root / "runs" / name
        if not (run / "checkpoint_final.safetensors").exists():
            job = self.job(name, self.patch)
            epochs = rounds if rounds else self.options.rounds
            self.run("consilium-trainer", "train", job, "--data", data, "--output", run, "--set",
                     f"train.epochs={epochs}", "--set", "train.threads=2", log=f"{name}.log")
        return run

    def dice(self, run, site_folder, name):
        """Mean foreground Dice of a model on a site's held-out cases."""
        out = self.root / "predictions" / name
        if not (out / "summary.json").exists():
            held_out = site_folder / "heldout"
            self.run("consilium-trainer", "predict", "--model", run, "--input", held_out / "imagesTs", "--output", out,
                     log=f"predict-{name}.log")
            self.run("consilium-trainer", "evaluate", "--predictions", out, "--labels", held_out / "labelsTs",
                     "--output", out / "summary.json", log=f"evaluate-{name}.log")
        return json.loads((out / "summary.json").read_text())["foreground_mean"]["Dice"]

    def federate(self, name, sites, strategy, card, attacker=None):
        """The final model of a federation as a RUN folder."""
        run = self.root / "runs" / name
        if (run / "checkpoint_final.safetensors").exists():
            return run
        o, work = self.options, self.root / "federations" / name
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        names = sorted(sites)
        job = self.job(name, self.patch, {
            "rounds": o.rounds, "mode": "wait", "sites": {"min": len(names), "names": names}, "round_deadline": "10m",
            "local": {"iterations": o.iterations}, "strategy": strategy})
        (work / "project.yaml").write_text(json.dumps({
            "name": "bench", "coordinator": {"name": "consortium", "address": "localhost:8443"}, "sites": names}))
        self.run("consilium", "provision", work / "project.yaml", "--output", work / "kits",
                 log=f"{name}-provision.log")
        self.run("consilium-trainer", "init", job, "--data", sites[names[0]], "--output", work / "initial.safetensors",
                 log=f"{name}-init.log")
        processes = []
        environment = {**os.environ, "SIGN_FLIP_SCALE": str(o.attack_scale)}

        def start(party, *arguments):
            with open(work / f"{party}.log", "w") as out:
                processes.append(subprocess.Popen([str(self.bin / "consilium"), *map(str, arguments)], stdout=out,
                                                  stderr=subprocess.STDOUT, env=environment))

        try:
            state = work / "coordinator"
            start("consortium", "coordinator", "--kit", work / "kits/consortium", "--state", state, "--job", job,
                  "--initial-model", work / "initial.safetensors", "--listen", "127.0.0.1:0", "--exit-when-done")
            while not (state / "endpoint.json").exists():
                if processes[0].poll() is not None:
                    sys.exit(f"the coordinator ended; see {work}/consortium.log")
                time.sleep(0.05)
            port = json.loads((state / "endpoint.json").read_text())["port"]
            for site in names:
                flips = ["--trainer", pathlib.Path(__file__).with_name("sign_flip_trainer.py")]
                extra = flips if site == attacker else []
                start(site, "client", "--kit", work / "kits" / site, "--data", sites[site], "--state",
                      work / "clients" / site, "--coordinator", f"127.0.0.1:{port}", "--exit-when-done", *extra)
            if processes[0].wait() != 0:
                sys.exit(f"the federation {name} failed; see {work}/consortium.log")
        finally:
            for process in reversed(processes):
                process.terminate()
            for process in processes:
                process.wait()
        run.mkdir(parents=True)
        shutil.copy(card / "model.json", run / "model.json")
        shutil.copy(work / "coordinator/jobs" / name / "model_final.safetensors", run / "checkpoint_final.safetensors")
        return run


def named_strategy(text):
    """`fedavgm momentum=0.9` as a job file's strategy."""
    name, *parameters = text.split()
    return {"name": name, **{key: float(value) for key, value in (part.split("=") for part in parameters)}}


def mean(values):
    values = list(values)
    return sum(values) / len(values)


def pooled(bench):
    o, sites = bench.options, bench.split()
    steps = o.rounds * o.iterations
    begin = time.time()
    together = bench.gather("pooled-data", [(folder / bench.dataset, None) for folder in sites.values()])
    pooled_run = bench.train("pooled", together, rounds=o.rounds * len(sites))
    local_runs = {site: bench.train(f"local-{site}", folder) for site, folder in sites.items()}
    federated_runs = {f"federated, {text}": bench.federate("federated-" + re.sub("[^a-z0-9]+", "-", text), sites,
                                                           named_strategy(text), pooled_run) for text in o.strategy}
    rows = {}
    for name, run_of in [("pooled", lambda site: pooled_run),
                         *((name, lambda site, run=run: run) for name, run in federated_runs.items()),
                         ("local-only, at home", lambda site: local_runs[site])]:
        rows[name] = {site: bench.dice(run_of(site), folder, f"{run_of(site).name}-on-{site}")
                      for site, folder in sites.items()}
    abroad = {site: mean(bench.dice(local_runs[site], folder, f"local-{site}-on-{other}")
                         for other, folder in sites.items()) for site in sites}
    print(f"\n{len(sites)} sites, {o.training_cases} training cases each, {o.rounds} rounds of {o.iterations} steps "
          f"({steps * len(sites)} steps in all, batch 2, width {o.width}); "
          f"Dice of {o.heldout_cases} held-out cases a site")
    print("| " + " | ".join(["training", *sites, "mean"]) + " |")
    print("| " + " | ".join(["---"] * (len(sites) + 2)) + " |")
    for name, row in rows.items():
        print("| " + " | ".join([name, *(f"{row[s]:.4f}" for s in sites), f"{mean(row.values()):.4f}"]) + " |")
    print("| " + " | ".join(["local-only, on all sites", *(f"{abroad[s]:.4f}" for s in sites),
                             f"{mean(abroad.values()):.4f}"]) + " |")
    of = {name: mean(row.values()) for name, row in rows.items()}
    print()
    for name in federated_runs:
        print(f"{name}: against pooled {of[name] - of['pooled']:+.4f} (wanted: at least -0.01), "
              f"against local-only {of[name] - of['local-only, at home']:+.4f} (wanted: above 0)")
    print(f"{time.time() - begin:.0f} s")


def attack(bench):
    hospitals = bench.split()
    begin = time.time()
    # Five sites out of three scanners: the cases of two hospitals are dealt to two sites each.
    folders = list(hospitals.values())
    sites = {}
    for number, site in enumerate("abcde"):
        folder = folders[number % 3]
        cases = bench.cases(folder)
        shared = number in (0, 1, 3, 4)  # a and d, b and e
        part = cases[(0 if number < 3 else 1)::2] if shared else cases
        sites[site] = bench.gather(f"attack-{site}", [(folder / bench.dataset, set(part))])
        if not (sites[site] / "heldout").exists():
            shutil.copytree(folder / "heldout", sites[site] / "heldout")
    card = bench.train("card", sites["a"], rounds=1)  # for its model.json alone
    rows = []
    for name, strategy, attacked in ATTACKS:
        tag = strategy["name"].replace("_", "-") + (f"-attacked-{bench.options.attack_scale}" if attacked else "-clean")
        run = bench.federate(tag, sites, strategy, card, ATTACKER if attacked else None)
        rows.append((name, attacked, mean(bench.dice(run, folder, f"{tag}-on-{site}")
                                          for site, folder in hospitals.items())))
    clean = rows[0][2]
    print(f"\n5 sites, {bench.options.rounds} rounds of {bench.options.iterations} steps; width "
          f"{bench.options.width}; site {ATTACKER} sends its update times -{bench.options.attack_scale}")
    print("| strategy | attacked | mean Dice | against clean |\n| --- | --- | --- | --- |")
    for name, attacked, value in rows:
        print(f"| {name} | {'yes' if attacked else 'no'} | {value:.4f} | {value - clean:+.4f} |")
    print(f"\n(wanted: the robust ones at least -0.03, fedavg visibly worse); {time.time() - begin:.0f} s")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", default="build/release/bin", help="where consilium and consilium-trainer are")
    parser.add_argument("--output", required=True, help="folder to work in; what is finished there is not done again")
    parser.add_argument("--source", help="raw hippocampus data set (default: in $CONSILIUM_DATA)")
    parser.add_argument("--experiment", choices=["pooled", "attack", "all"], default="all")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--iterations", type=int, default=40, help="steps of a site in a round")
    parser.add_argument("--strategy", action="append", help="of the experiment `pooled`, once for each federated row: "
                        "`fedavg` (the default), `fedavgm momentum=0.9`")
    parser.add_argument("--width", type=int, default=8, help="channels of the first stage")
    parser.add_argument("--attack-scale", type=int, default=1, help="the attacker sends its update times minus this; "
                        "4 in Li et al., \"RSA: Byzantine-robust stochastic aggregation\", AAAI 2019")
    parser.add_argument("--learning-rate", type=float, default=0.1)
    parser.add_argument("--training-cases", type=int, default=40, help="of each site")
    parser.add_argument("--heldout-cases", type=int, default=8, help="of each site")
    options = parser.parse_args()
    options.strategy = options.strategy or ["fedavg"]
    if options.source is None:
        if "CONSILIUM_DATA" not in os.environ:
            parser.error("give --source, or set CONSILIUM_DATA to the folder that holds Dataset004_Hippocampus")
        options.source = pathlib.Path(os.environ["CONSILIUM_DATA"]) / "Dataset004_Hippocampus"
    bench = Bench(options)
    if options.experiment in ("pooled", "all"):
        pooled(bench)
    if options.experiment in ("attack", "all"):
        attack(bench)


if __name__ == "__main__":
    main()
