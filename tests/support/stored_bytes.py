"""What streams of a snapshot take on the storage: stored_bytes.py READER REPOSITORY KIT SNAPSHOT

Made with the emergency reader, not with the programs. For each stream with bytes a line of numbers and its path:

    LENGTH STORED BLOBS NODES PATH

STORED is the compressed size of its own chunks: of every blob it uses, the bytes it has on the storage (clen) in proportion
to the part of the blob that the stream uses; a part that is used twice counts once. Nodes and headers are not in it. BLOBS
are these blobs as a whole, NODES the nodes of its tree: what nobody can help reading as the format is.
"""
import importlib.util
import sys

reader_path, repository_path, kit, name = sys.argv[1:5]
sys.dont_write_bytecode = True
specification = importlib.util.spec_from_file_location("reader", reader_path)
er = importlib.util.module_from_spec(specification)
specification.loader.exec_module(er)


class Options:
    passphrase_file, root, member, members_only, request_state, approval = [], None, [], False, [], []


Options.kit = [kit]
repository = er.Repository(er.Store(repository_path), er.collect_keys(Options), er.Report())
snapshot = repository.read_snapshot(er.find_snapshot(repository, name), 3)


def walk(ref, level, length, parts, nodes):
    nodes[ref] = ref.clen
    blobs, items = er.parse_node(repository.fetch_blobs(snapshot, [ref], True)[ref], level, length)
    for item in items:
        if level == 0:
            parts.setdefault(blobs[item[0]], []).append((item[1], item[1] + item[2]))
        else:
            walk(blobs[item[0]], level - 1, item[1], parts, nodes)


def union(ranges):
    total, end = 0, 0
    for begin, stop in sorted(ranges):
        total += max(0, stop - max(begin, end))
        end = max(end, stop)
    return total


for member in er.read_catalog(repository, snapshot):
    if not member.ref or member.ref.form == 0:
        continue
    ref, parts, nodes = member.ref, {}, {}
    if ref.form == 1:
        parts[ref.blob] = [(ref.offset, ref.offset + ref.len)]
    else:
        walk(ref.blob, ref.level, ref.len, parts, nodes)
    stored = sum(blob.clen * union(ranges) / blob.plen for blob, ranges in parts.items())
    print(ref.len, round(stored), sum(blob.clen for blob in parts), sum(nodes.values()), er.show(member.path))
