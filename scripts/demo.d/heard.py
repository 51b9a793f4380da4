"""Prints an event of this type and person that the receiver has heard; ends with 1 if it has heard none."""
import json, sys
path, kind, subject = sys.argv[1:]
events = [json.loads(line) for line in open(path) if line.endswith("\n")]
found = [event for event in events if (event["type"], event.get("subject")) == (kind, subject)]
if not found:
    sys.exit(1)
shown = ("type", "severity", "subject", "incident", "actor")
print("   heard:", json.dumps({name: found[0][name] for name in shown if name in found[0]}))
