"""A model behind HTTP: `POST {"instances": […]}`, answered by `{"predictions": […]}`.

The shape is that of TensorFlow Serving's and KServe's prediction APIs, version 1. An instance is a
list of values or an object by field, as in the log; a prediction is a label or a list of scores.
"""

from collections.abc import Mapping
from typing import Any

import httpx

from detector.evaluation.datasets import Coded, Dataset
from detector.kit.errors import QuerywatchError

BATCH = 256
SHOWN = 200


class Endpoint:
    """Asks one URL, and follows it nowhere else.

    Args:
        url: Where to post.
        dataset: How rows become values.
        headers: Sent with every request, such as an authorisation.
        timeout: Seconds for each request.
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
        self._dataset = dataset
        self._client = httpx.Client(
            headers=dict(headers), timeout=timeout, follow_redirects=False, transport=transport
        )

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def __call__(self, rows: Coded) -> list[Any]:
        """Return the predictions for (n, d) coded rows.

        Raises:
            QuerywatchError: No answer in time, a status other than 200, or another shape.
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
        try:
            response = self._client.post(self._url, json={"instances": instances})
        except httpx.HTTPError as error:
            reason = str(error) or type(error).__name__
            raise QuerywatchError(f"endpoint: no answer from {self._url}: {reason}") from error
        if response.status_code != httpx.codes.OK:
            text = " ".join(response.text.split())[:SHOWN]
            raise QuerywatchError(f"endpoint: status {response.status_code}: {text}")
        try:
            predictions = response.json()["predictions"]
        except (ValueError, KeyError, TypeError) as error:
            raise QuerywatchError(
                'endpoint: the answer is no JSON object with "predictions"'
            ) from error
        if not isinstance(predictions, list) or len(predictions) != len(instances):
            raise QuerywatchError(
                f"endpoint: {len(instances)} instances must bring a list of as many predictions"
            )
        return predictions
