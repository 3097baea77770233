"""The imports of the fork server, so that a forked job starts at once: the modules that most runs need."""

import pydantic.type_adapter  # imported late elsewhere, since it is slow  # noqa: F401

import atelier.callbacks.curves
import atelier.callbacks.extremes
import atelier.callbacks.training_pictures
import atelier.compose.build
import atelier.compose.open
import atelier.data.images
import atelier.tasks.classifier  # noqa: F401
