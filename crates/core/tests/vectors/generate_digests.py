"""Makes config_digests.json: configurations and their digests, by another implementation of RFC 8785.

    pip install rfc8785==0.1.4 && python3 generate_digests.py > config_digests.json
"""

import hashlib
import json

import rfc8785

# Each group is one value, spelt in several ways.
GROUPS = [
    ['{}', ' {\n} '],
    ['{"b":1,"a":[true,false,null]}', '{ "a" : [ true, false, null ] , "b" : 1 }', '{"b":1.0,"a":[true,false,null]}'],
    ['{"n":100}', '{"n":1e2}', '{"n":100.0}', '{"n":1.0E+2}'],
    ['{"n":0}', '{"n":-0}', '{"n":-0.0}', '{"n":0e5}'],
    ['{"n":0.5}', '{"n":5e-1}', '{"n":0.50}'],
    ['{"n":1e21}', '{"n":1000000000000000000000}'],
    ['{"n":100000000000000000000}', '{"n":1e20}'],
    ['{"n":1e-7}', '{"n":0.0000001}'],
    ['{"n":9007199254740991}', '{"n":9007199254740991.0}'],
    ['{"n":333333333.33333329}'],
    ['{"n":4.5}', '{"n":4.50}'],
    ['{"n":2e-3}', '{"n":0.002}'],
    ['{"s":"\\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}', '{"s":"€$\\u000F\\u000aA\'B\\u0022\\u005c\\\\\\"\\/"}'],
    # Members are sorted by UTF-16 code units: U+1F600 comes before U+FB33.
    ['{"\\u20ac":1,"\\r":2,"\\ufb33":3,"1":4,"\\ud83d\\ude00":5,"\\u0080":6,"\\u00f6":7}',
     '{"ö":7,"\u0080":6,"\U0001f600":5,"1":4,"\ufb33":3,"\\r":2,"€":1}'],
    ['{"enforcement":"shadow","max_token_bytes":4096,"revocation":{"on_unavailable":"allow"}}',
     '{"revocation": {"on_unavailable": "allow"}, "max_token_bytes": 4.096e3, "enforcement": "shado\\u0077"}'],
    ['{"enforcement":"enforce","max_token_bytes":4096,"revocation":{"on_unavailable":"allow"}}'],
]

vectors = []
for texts in GROUPS:
    value = json.loads(texts[0], parse_int=float)
    canonical = rfc8785.dumps(value)
    digest = hashlib.sha256(canonical).hexdigest()
    vectors.append({"canonical": canonical.decode(), "sha256": digest, "texts": texts})
assert len({vector["sha256"] for vector in vectors}) == len(vectors)
print(json.dumps(vectors, indent=1, ensure_ascii=True))
