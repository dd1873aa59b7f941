"""Incidents: the aggregate and its state machine, severity, escalation policy. All pure."""
