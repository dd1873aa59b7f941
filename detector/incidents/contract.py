"""What listings and notifications say of an incident, a contract (`schemas/incident/`)."""

INCIDENT_FIELDS = (
    "incident_id",
    "client_id",
    "model_id",
    "attack_class",
    "techniques",
    "atlas",
    "severity",
    "confidence",
    "opened_at",
    "opened_at_query",
    "last_seen",
    "queries",
    "evidence",
)
