"""Reads a safetensors file with Python's standard library alone; a line for each tensor: name, type, shape, sum."""
import array
import json
import struct
import sys

with open(sys.argv[1], "rb") as file:
    (size,) = struct.unpack("<Q", file.read(8))
    header = json.loads(file.read(size))
    data = file.read()
assert header.pop("__metadata__")["format"] == "pt"
end = 0
for name, entry in header.items():
    begin, stop = entry["data_offsets"]
    assert begin == end, f"{name}: a gap or an overlap before it"
    values = array.array("f", data[begin:stop])
    count = 1
    for edge in entry["shape"]:
        count *= edge
    assert entry["dtype"] == "F32" and count == len(values), name
    print(name, entry["shape"], sum(values).hex(), values[-1].hex())
    end = stop
assert end == len(data), "bytes are left over"
