"""The routes, one file each. `ROUTES` is all of them, by path."""

from __future__ import annotations

from guerdon.server.routes import nemo_gym, openrlhf, own, slime

ROUTES = {route.path: route for route in (own.ROUTE, openrlhf.ROUTE, slime.ROUTE, nemo_gym.ROUTE)}
