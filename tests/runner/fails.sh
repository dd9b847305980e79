#!/bin/bash
echo "ok - one"; echo "not ok - two"; exit 1
