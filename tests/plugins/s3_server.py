"""An S3-compatible server on this machine: moto's, in a process of its own, slowed down on purpose where that is asked.

It serves until its standard input ends, so it does not outlive whoever has started it.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


@contextmanager
def s3_server(delay: float = 0.0, log: Path | None = None) -> Iterator[dict[str, str]]:
    """Serve S3 with one bucket, ``bucket``. Gives the environment variables by which clients find it.

    delay: seconds that each request takes at least. log: a file that gets a line for each request.
    """
    command = [sys.executable, __file__, str(delay), *([str(log)] if log else [])]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None and server.stdout is not None
        port = server.stdout.readline().strip()
        assert port.isdigit(), "the server has not started"
        variables = {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        try:
            yield variables
        finally:
            server.stdin.close()


def slowed(application: Application, delay: float, log: Path | None) -> Application:
    def slow(environment: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        time.sleep(delay)
        if log is not None:
            parts = (environment[name] for name in ("REQUEST_METHOD", "PATH_INFO", "QUERY_STRING"))
            with log.open("a") as file:
                file.write(" ".join([*parts, environment.get("HTTP_RANGE", "")]) + "\n")
        return application(environment, start)

    return slow


def serve(delay: float, log: Path | None) -> None:
    from threading import Thread

    import boto3
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
    from werkzeug.serving import make_server

    class Quiet(MotoRequestHandler):
        protocol_version = "HTTP/1.1"  # keeps connections, as Amazon does

        def log_request(self, *args: object) -> None:
            pass

    application = slowed(DomainDispatcherApplication(create_backend_app), delay, log)
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=Quiet)
    Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
    boto3.client("s3", endpoint_url=address, **keys).create_bucket(Bucket="bucket")
    print(server.server_port, flush=True)
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    serve(float(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
