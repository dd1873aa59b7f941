"""One file a group of routes; each route declares its permission."""
