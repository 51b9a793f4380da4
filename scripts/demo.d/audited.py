"""Prints the last audit record of an access log, if it says this; ends with 1 if it does not."""
import json, sys
path, decision, reason = sys.argv[1:]
lines = [json.loads(line) for line in open(path) if line.endswith("\n")]
records = [json.loads(line["breakglass"]) for line in lines if line.get("breakglass")]
if not records or (records[-1]["decision"], records[-1]["reason"], records[-1]["status"] is None) != (decision, reason, False):
    sys.exit(1)
shown = ("decision", "reason", "subject", "grant", "justification", "incident", "approvers", "scope", "scope_digest", "rule", "method", "path", "status")
print("   audit:", json.dumps({name: records[-1][name] for name in shown if records[-1][name] is not None}))
