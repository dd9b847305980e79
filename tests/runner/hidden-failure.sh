#!/bin/bash
echo "not ok - one"
