#!/bin/bash
# limit: 1
echo "ok - one"; sleep 30
