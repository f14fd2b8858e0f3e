{{/* What the pods of the exporter and of `helm test` have in common: (list $ SETTINGS MOUNTS). */}}
{{- define "metaaccess-exporter.container" -}}
{{- $root := index . 0 -}}
{{- $mounts := index . 2 -}}
image: {{ include "metaaccess-exporter.image" $root | quote }}
imagePullPolicy: {{ $root.Values.image.pullPolicy }}
env:
  {{- include "metaaccess-exporter.env" (list $root (index . 1)) | nindent 2 }}
{{- with $root.Values.extraEnvFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $root.Values.securityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
resources:
  {{- toYaml $root.Values.resources | nindent 2 }}
{{- with concat $mounts (include "metaaccess-exporter.fileMounts" $root | fromYamlArray) $root.Values.extraVolumeMounts }}
volumeMounts:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The same of the pods themselves. */}}
{{- define "metaaccess-exporter.podSpec" -}}
serviceAccountName: {{ include "metaaccess-exporter.serviceAccountName" . | quote }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.podSecurityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The spreads, each with the pod's selector where it has none; nothing where there are none. */}}
{{- define "metaaccess-exporter.spread" -}}
{{- $selector := dict "matchLabels" (include "metaaccess-exporter.selectorLabels" . | fromYaml) -}}
{{- $wanted := .Values.topologySpreadConstraints | default list -}}
{{- if and .Values.state.url (not $wanted) -}}
{{- range $key := list "kubernetes.io/hostname" "topology.kubernetes.io/zone" -}}
{{- /* Those of a roll-out that is under way are counted by themselves. */ -}}
{{- $wanted = append $wanted (dict "maxSkew" 1 "topologyKey" $key "whenUnsatisfiable" "ScheduleAnyway" "matchLabelKeys" (list "pod-template-hash")) -}}
{{- end -}}
{{- end -}}
{{- $spreads := list -}}
{{- range $wanted -}}
{{- $spreads = append $spreads (hasKey . "labelSelector" | ternary . (merge (deepCopy .) (dict "labelSelector" $selector))) -}}
{{- end -}}
{{- with $spreads -}}
{{- toYaml . -}}
{{- end -}}
{{- end -}}

{{/* How long a start may take. A database that comes later is waited for before anything is answered. */}}
{{- define "metaaccess-exporter.startup" -}}
{{- $startup := deepCopy .Values.probes.startup -}}
{{- if and .Values.state.url (not .Values.demo) -}}
{{- $period := $startup.periodSeconds | default 10 | int -}}
{{- $least := div (add 1799 $period) $period -}}
{{- $_ := set $startup "failureThreshold" (max $least ($startup.failureThreshold | default 3 | int64)) -}}
{{- end -}}
{{- toYaml $startup -}}
{{- end -}}

{{/* How a probe asks: (list $ PATH). A web configuration may ask for certificates or passwords, which the kubelet has
     not; the program's own healthcheck copes with all of it. */}}
{{- define "metaaccess-exporter.probe" -}}
{{- if include "metaaccess-exporter.hasWebConfig" (first .) -}}
exec:
  command: [/metaaccess-exporter, healthcheck]
{{- else -}}
httpGet:
  path: {{ last . }}
  port: metrics
{{- end -}}
{{- end -}}
