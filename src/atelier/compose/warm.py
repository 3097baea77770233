"""Imported by the server that jobs are forked from: all that a run imports, and nothing started."""

import atelier.callbacks.curves
import atelier.callbacks.extremes
import atelier.callbacks.samples
import atelier.compose.build
import atelier.compose.open
import atelier.data.clocks
import atelier.tasks.classifier
import atelier.tasks.clock  # noqa: F401
