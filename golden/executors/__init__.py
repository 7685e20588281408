"""Executors: a program in floating point, in raw integers, and in raw integers compiled.

Each folder has the same files: ``executor`` (the public class), ``states`` and ``weights`` (the
operations), and what that executor alone needs.
"""
