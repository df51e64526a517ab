"""Converts a PyTorch state dictionary (.pth, the format before 1.6) to safetensors.

Needs only Python's standard library, no PyTorch. A .pth file is a pickle, and a pickle can run
code: this reader admits tensors, their storages and ordered dictionaries, and nothing else.

    python3 -I pth_to_safetensors.py state.pth state.safetensors
"""

import collections
import json
import pickle
import struct
import sys

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
# Storage class -> (name in safetensors, bytes a value)
STORAGES = {"FloatStorage": ("F32", 4), "HalfStorage": ("F16", 2)}
MAX_BYTES = 128 << 20


class Refused(Exception):
    """The file is not a plain state dictionary."""


class Storage:
    """A run of numbers that tensors are views of; filled in after the pickle is read."""

    def __init__(self, kind, count):
        self.dtype, self.size = STORAGES[kind]
        self.count = count
        self.data = b""


class Tensor:
    """A contiguous view of a storage."""

    def __init__(self, storage, offset, shape):
        self.storage, self.offset, self.shape = storage, offset, shape

    def bytes(self):
        count = 1
        for length in self.shape:
            count *= length
        start, end = self.offset, self.offset + count
        if end > self.storage.count:
            raise Refused("a tensor reaches beyond its storage")
        return self.storage.data[start * self.storage.size : end * self.storage.size]


def rebuild_tensor(storage, offset, shape, stride, requires_grad, hooks, metadata=None):
    """What torch._utils._rebuild_tensor_v2 does, for contiguous tensors."""
    numbers = [offset, *shape, *stride]
    if not isinstance(storage, Storage) or any(type(n) is not int or n < 0 for n in numbers):
        raise Refused("a tensor is not described by plain numbers")
    expected = 1
    for length, step in zip(reversed(shape), reversed(stride)):
        if length != 1 and step != expected:
            raise Refused("a tensor is not contiguous")
        expected *= length
    return Tensor(storage, offset, shape)


class Reader(pickle.Unpickler):
    """An unpickler that knows four names."""

    def __init__(self, file, storages):
        super().__init__(file, encoding="utf-8")
        self.storages = storages

    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return rebuild_tensor
        if module == "torch" and name in STORAGES:
            return name
        raise Refused(f"the file names {module}.{name}, which is no part of a state dictionary")

    def persistent_load(self, ident):
        if not isinstance(ident, tuple) or len(ident) < 5 or ident[0] != "storage":
            raise Refused("the file refers to something that is not a storage")
        _, kind, key, _place, count = ident[:5]
        view = ident[5] if len(ident) > 5 else None
        if kind not in STORAGES or type(count) is not int or not 0 <= count <= MAX_BYTES:
            raise Refused("a storage of an unknown kind or size")
        if view is not None or type(key) is not str:
            raise Refused("a storage that is a view of another")
        return self.storages.setdefault(key, Storage(kind, count))


def read(file):
    """The tensors of a state dictionary, by name."""
    storages = {}

    def load():
        return Reader(file, storages).load()

    if load() != MAGIC or load() != PROTOCOL:
        raise Refused("not a state dictionary of the format before PyTorch 1.6")
    if load().get("little_endian") is not True:
        raise Refused("written on a big-endian computer")
    state = load()
    keys = load()
    if not isinstance(state, dict) or sorted(keys) != sorted(storages):
        raise Refused("the storages are not the ones the tensors use")
    for key in keys:
        storage = storages[key]
        (count,) = struct.unpack("<q", file.read(8))
        if count != storage.count:
            raise Refused("a storage has another length than its tensor says")
        storage.data = file.read(count * storage.size)
        if len(storage.data) != count * storage.size:
            raise Refused("the file ends too early")
    for name, tensor in state.items():
        if type(name) is not str or not isinstance(tensor, Tensor):
            raise Refused("the dictionary holds something that is not a tensor")
    return state


def write(state, path):
    """Writes safetensors: a length, a JSON header, the numbers."""
    header, chunks, offset = {}, [], 0
    for name, tensor in sorted(state.items()):
        data = tensor.bytes()
        header[name] = {
            "dtype": tensor.storage.dtype,
            "shape": list(tensor.shape),
            "data_offsets": [offset, offset + len(data)],
        }
        chunks.append(data)
        offset += len(data)
    text = json.dumps(header).encode()
    with open(path, "wb") as out:
        out.write(struct.pack("<Q", len(text)) + text)
        out.writelines(chunks)


def main():
    source, destination = sys.argv[1:]
    try:
        with open(source, "rb") as file:
            state = read(file)
        write(state, destination)
    except (Refused, pickle.UnpicklingError, EOFError, OSError) as error:
        sys.exit(str(error))
    except (struct.error, ValueError, TypeError, AttributeError) as error:
        sys.exit(f"the pickle is damaged ({error})")


if __name__ == "__main__":
    main()
