#!/usr/bin/env python3
"""A hostile site for tests/bench/federated_hippocampus.py: stands between a client and the real consilium-trainer,
passes everything on, and turns each update into s times its opposite before the client hears that it is done:
y -> x - s (y - x) for weights (x the received model), d -> -s d for differences; s is SIGN_FLIP_SCALE, or 1.

Started by the client in the place of consilium-trainer: `sign_flip_trainer.py worker --socket PATH`."""
import array
import json
import os
import pathlib
import re
import socket
import struct
import subprocess
import sys
import tempfile
import threading

SCALE = float(os.environ.get("SIGN_FLIP_SCALE", "1"))
WORKER_DONE = 2  # the alternative's number in wire::WorkerMessage


def find_trainer():
    beside = os.environ.get("CONSILIUM_TRAINER")
    client = pathlib.Path(os.readlink(f"/proc/{os.getppid()}/exe"))
    return beside if beside else str(client.with_name("consilium-trainer"))


def read_file(path):
    data = bytearray(pathlib.Path(path).read_bytes())
    (size,) = struct.unpack_from("<Q", data)
    return data, json.loads(data[8:8 + size]), 8 + size


def floats(data, header, begin, name):
    first, last = header[name]["data_offsets"]
    values = array.array("f")
    values.frombytes(bytes(data[begin + first:begin + last]))
    return values, begin + first, begin + last


def flip(update_path, model_path):
    data, header, begin = read_file(update_path)
    weights = header.get("__metadata__", {}).get("consilium.update", "weights") == "weights"
    model, model_header, model_begin = read_file(model_path)
    for name in header:
        if name == "__metadata__" or header[name]["dtype"] != "F32":
            continue
        values, first, last = floats(data, header, begin, name)
        if weights:
            received, _, _ = floats(model, model_header, model_begin, name)
            values = array.array("f", (x - SCALE * (y - x) for x, y in zip(received, values)))
        else:
            values = array.array("f", (-SCALE * y for y in values))
        data[first:last] = values.tobytes()
    temporary = pathlib.Path(f"{update_path}.flipped")
    temporary.write_bytes(data)
    temporary.replace(update_path)


def receive(connection, size):
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            return None
        data += part
    return data


def frames(connection):
    while True:
        head = receive(connection, 4)
        body = head and receive(connection, struct.unpack("<I", head)[0])
        if body is None:
            return
        yield head, body


def main():
    client = socket.socket(socket.AF_UNIX)
    client.connect(sys.argv[sys.argv.index("--socket") + 1])
    folder = tempfile.mkdtemp()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(folder + "/s")
    listener.listen(1)
    trainer_process = subprocess.Popen([find_trainer(), "worker", "--socket", folder + "/s"])
    trainer, _ = listener.accept()
    task = {}

    def pass_tasks_on():
        for head, body in frames(client):
            update = re.search(rb"/[^\0]*?/update-\d+\.\d+\.safetensors", body)
            model = re.search(rb"/[^\0]*?/blobs/[0-9a-f]{64}", body)
            task["paths"] = (update.group().decode(), model.group().decode()) if update and model else None
            trainer.sendall(head + body)
        trainer.shutdown(socket.SHUT_RDWR)

    threading.Thread(target=pass_tasks_on, daemon=True).start()
    for head, body in frames(trainer):
        if body[0] == WORKER_DONE and task.get("paths"):
            flip(*task.pop("paths"))
        client.sendall(head + body)
    client.close()
    sys.exit(trainer_process.wait())


if __name__ == "__main__":
    main()
