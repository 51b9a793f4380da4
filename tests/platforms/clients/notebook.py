"""Runs code in a kernel of a Jupyter server: notebook.py URL CODE; prints what the code prints."""

import asyncio
import os
import sys
import traceback

from jupyter_server.gateway.gateway_client import GatewayClient
from jupyter_server.gateway.managers import GatewayKernelManager

url, code = sys.argv[1:]
GatewayClient.instance().url = url


async def run():
    kernel = GatewayKernelManager()
    await kernel.start_kernel(kernel_name="python3")
    client = kernel.client()
    try:
        await client.start_channels()
        client.execute(code)
        while True:
            message = await client.get_iopub_msg(timeout=15)
            if message["msg_type"] == "stream":
                return message["content"]["text"]
    finally:
        client.stop_channels()
        await kernel.shutdown_kernel()


try:
    print(asyncio.run(asyncio.wait_for(run(), 30)), end="", flush=True)
    status = 0
except Exception:
    traceback.print_exc()
    status = 1
# Threads that read what no more comes would keep it from ending.
os._exit(status)
