"""Names that an incident and its messages keep for ever, derived from content alone.

The same log gives the same names whatever source, batch or worker it came through.
"""

import json
import uuid
from functools import lru_cache

from detector.events.model import ClientKey
from detector.scoring.finding import AttackClass, Finding

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://querywatch.dev/incidents")


def stable_id(*parts: str | int) -> str:
    """Return the UUID (version 5) of the parts; no two lists of parts run into each other."""
    return str(uuid.uuid5(_NAMESPACE, json.dumps(parts)))


def incident_id(finding: Finding) -> str:
    """Return the id of the incident that this finding opens."""
    tenant, model, client = finding.client
    return stable_id("incident", tenant, client, model, finding.attack_class, finding.event_id)


def dedup_key(client: ClientKey, attack_class: AttackClass) -> str:
    """Return what at most one open incident may carry: tenant, client, model and class."""
    tenant, model, client_id = client
    return stable_id("dedup", tenant, client_id, model, attack_class)


@lru_cache(maxsize=1 << 14)
def client_key(client: ClientKey) -> str:
    """Return a short name of the client, of one length however long its three ids are."""
    return stable_id("client", *client)
