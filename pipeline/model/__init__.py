"""Models: conversion from a framework's format to reproducible OpenVINO IR."""
