#!/bin/bash
echo "ok - one"; exit 3
