"""A model behind HTTP: `POST {"instances": […]}`, answered by `{"predictions": […]}`.

The shape is that of TensorFlow Serving's and KServe's prediction APIs, version 1. An instance is a
list of values or an object by field, as in the log; a prediction is a label or a list of scores.
"""

import json
import time
from collections.abc import Mapping
from typing import Any

import httpx

from detector.evaluation.datasets import Coded, Dataset
from detector.kit.errors import QuerywatchError

BATCH = 256
SHOWN = 200
MOST_BYTES = 64 << 20
"""A longer answer is none to that many instances."""


class Endpoint:
    """Asks one URL, and follows it nowhere else.

    Args:
        url: Where to post.
        dataset: How rows become values.
        headers: Sent with every request, such as an authorisation.
        timeout: Seconds for each request, from its begin to the end of the answer.
        transport: How requests travel; the network when None.
    """

    def __init__(
        self,
        url: str,
        dataset: Dataset,
        headers: Mapping[str, str],
        timeout: float,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._url = url
        self._place = place(url)
        self._dataset = dataset
        self._timeout = timeout
        self._client = httpx.Client(
            headers=[(name.encode(), value.encode()) for name, value in headers.items()],
            timeout=timeout,
            follow_redirects=False,
            transport=transport,
        )

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def __call__(self, rows: Coded) -> list[Any]:
        """Return the predictions for (n, d) coded rows.

        Raises:
            QuerywatchError: No answer in time, a status other than 200, or another shape; names
                the endpoint and says which.
        """
        cells = self._dataset.cells(rows)
        names = [field.name for field in self._dataset.fields]
        instances: list[Any] = cells
        if not self._dataset.positional:
            instances = [dict(zip(names, row, strict=True)) for row in cells]
        predictions: list[Any] = []
        for start in range(0, len(instances), BATCH):
            predictions.extend(self._post(instances[start : start + BATCH]))
        return predictions

    def _post(self, instances: list[Any]) -> list[Any]:
        response, body = self._answer(instances)
        if response.has_redirect_location:
            where = shown(response.headers["Location"].partition("?")[0])
            raise self._failure(
                f"status {response.status_code} sends on to {where}, which is not followed"
            )
        if response.status_code != httpx.codes.OK:
            text = shown(body.decode("utf-8", "replace")) or "no text"
            raise self._failure(f"status {response.status_code}: {text}")
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError) as error:
            text = shown(body.decode("utf-8", "replace")) or "nothing"
            raise self._failure(f"the answer is not JSON: {text}") from error
        if not isinstance(answer, dict) or "predictions" not in answer:
            raise self._failure('the answer is no JSON object with "predictions"')
        predictions = answer["predictions"]
        if not isinstance(predictions, list):
            raise self._failure('"predictions" is not a list')
        if len(predictions) != len(instances):
            raise self._failure(
                f"{len(instances)} instances brought {len(predictions)} predictions"
            )
        return predictions

    def _answer(self, instances: list[Any]) -> tuple[httpx.Response, bytes]:
        """The answer with its body, in time and of a bearable size."""
        # The client's own limit is for each piece; one that sends byte by byte would never end.
        until = time.monotonic() + self._timeout
        body = bytearray()
        try:
            with self._client.stream("POST", self._url, json={"instances": instances}) as response:
                for piece in response.iter_bytes():
                    body += piece
                    if len(body) > MOST_BYTES:
                        raise self._failure(f"the answer is longer than {MOST_BYTES:,} bytes")
                    if time.monotonic() > until:
                        raise self._failure(f"no whole answer in {self._timeout:g} s")
        except httpx.TimeoutException as error:
            raise self._failure(f"no answer in {self._timeout:g} s") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._failure(f"no answer: {str(error) or type(error).__name__}") from error
        return response, bytes(body)

    def _failure(self, reason: str) -> QuerywatchError:
        return QuerywatchError(f"endpoint {self._place}: {reason}")


def place(url: str) -> str:
    """Return a URL as it may be shown: without a password and without what follows the path."""
    parts = httpx.URL(url)
    return str(parts.copy_with(userinfo=b"", query=None, fragment=None))


def shown(text: str) -> str:
    """Return the begin of a foreign text, in one line and of what prints."""
    line = " ".join(text.split())[:SHOWN]
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
