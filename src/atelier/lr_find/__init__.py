"""The learning-rate finder: `python src/train.py lr_find=true`."""
