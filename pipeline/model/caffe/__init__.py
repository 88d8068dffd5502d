"""Caffe's own files: prototxt, caffemodel, and weights drawn from a seed."""
