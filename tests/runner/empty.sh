#!/bin/bash
echo "all is well"
