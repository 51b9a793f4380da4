#!/usr/bin/env python3
"""Checks audit logs without any of our code: `docs/verify.py FILE...` (plain or .gz).

Prints what is wrong and a line per chain; ends with 1 if anything is. A second opinion that can be
read in a minute, not a second product: one file at a time in the order given, all hashes in memory.
"""
import gzip
import hashlib
import json
import sys


def records(value):
    """The records in a parsed line: objects with our members, or strings that hold one."""
    if isinstance(value, dict) and {"chain", "seq", "prev", "hash"} <= value.keys():
        yield value
    elif isinstance(value, (dict, list)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from records(inner)
    elif isinstance(value, str) and '"grant_seq"' in value:
        yield from records(json.loads(value))


def digest(record):
    """SHA-256 of the record without `hash`: compact JSON, members in their order, UTF-8."""
    rest = {name: value for name, value in record.items() if name != "hash"}
    text = json.dumps(rest, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


chains, wrong = {}, 0
for name in sys.argv[1:]:
    with (gzip.open if name.endswith(".gz") else open)(name, "rt", encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            try:
                found = list(records(json.loads(line)))
            except ValueError:
                found = []
            for record in found:
                if record["seq"] is None:
                    continue
                chain = chains.setdefault(record["chain"], {})
                known = chain.setdefault(record["seq"], (record["hash"], record["prev"]))
                if record.get("start"):
                    chain.setdefault(record["start"]["seq"], (record["start"]["hash"], None))
                if digest(record) != record["hash"] or known[0] != record["hash"]:
                    print(f"{name}:{number}: record {record['seq']} is not what was written")
                    wrong += 1
for identity, chain in sorted(chains.items()):
    for seq in range(1, max(chain) + 1):
        hash_before, prev = chain.get(seq - 1, (None, None))[0], chain.get(seq, (None, None))[1]
        if seq not in chain or (prev and hash_before and prev != hash_before):
            print(f"chain {identity}: record {seq} is missing or does not follow {seq - 1}")
            wrong += 1
    print(f"chain {identity}: {len(chain)} records, the last is {max(chain)} {chain[max(chain)][0]}")
sys.exit(1 if wrong else 0)
