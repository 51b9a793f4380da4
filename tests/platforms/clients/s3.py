"""boto3 with a token: s3.py ENDPOINT TOKEN get|put|copy|list BUCKET [KEY [BODY|SOURCE]]; prints JSON."""

import json
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

endpoint, token, action, bucket, *rest = sys.argv[1:]
client = boto3.client(
    "s3",
    endpoint_url=endpoint,
    region_name="us-east-1",
    aws_access_key_id="test",
    aws_secret_access_key="test",
    config=Config(
        s3={"addressing_style": "path"}, retries={"max_attempts": 1}, connect_timeout=5, read_timeout=10
    ),
)


def bring_token(request, **_):
    request.headers["x-breakglass-token"] = token


# After the signature, which the proxy would break by taking the header away.
client.meta.events.register("before-send.s3", bring_token)
try:
    if action == "get":
        found = client.get_object(Bucket=bucket, Key=rest[0])["Body"].read().decode()
    elif action == "put":
        found = client.put_object(Bucket=bucket, Key=rest[0], Body=rest[1].encode())["ETag"]
    elif action == "copy":
        found = client.copy_object(Bucket=bucket, Key=rest[0], CopySource=rest[1])["CopyObjectResult"]["ETag"]
    else:
        found = [entry["Key"] for entry in client.list_objects_v2(Bucket=bucket).get("Contents", [])]
    print(json.dumps({"found": found}))
except ClientError as error:
    print(json.dumps({"status": error.response["ResponseMetadata"]["HTTPStatusCode"], "error": str(error)}))
