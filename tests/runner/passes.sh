#!/bin/bash
echo "ok - one"; echo "ok - two # SKIP no such thing here"
