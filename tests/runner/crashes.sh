#!/bin/bash
echo "ok - one"; kill -SEGV $$
