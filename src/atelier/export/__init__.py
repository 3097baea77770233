"""A finished run in, a file for other programs out: weights, ONNX, or a program of torch.export."""
